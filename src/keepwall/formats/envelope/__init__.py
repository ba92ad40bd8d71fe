"""Envelopes as YAML: `parse` and `render`."""

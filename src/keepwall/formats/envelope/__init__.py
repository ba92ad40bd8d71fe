"""Envelopes as YAML (DESIGN section 3): `parse` and `render`."""

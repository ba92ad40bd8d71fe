"""Posture: which assets fail which rules, from facts alone; no file is opened here."""

"""The decision point: what an envelope answers to one question, and how strongly."""

"""The decision point: what an envelope answers to one question, and the seam of every plane."""

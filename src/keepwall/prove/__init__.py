"""Proof that controls were exercised: recorded, exported, and verified by anyone offline."""

"""Syntax trees: what source code says, read without running it."""

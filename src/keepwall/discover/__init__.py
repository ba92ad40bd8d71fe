"""Discover: find the AI in a tree or on a host. Reads, never runs, what it finds."""

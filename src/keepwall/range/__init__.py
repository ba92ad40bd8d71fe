"""The range: attacks on a whole installation, started as a user would start it.

Canaries and loopback receivers only; everything lives in a directory of its own and ends with it.
"""

"""Keepwall: a self-hosted Zero Trust platform for AI workloads."""

__version__ = "0.1.0"

"""Respond: open the incident, contain the subject, close the path."""

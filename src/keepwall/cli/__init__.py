"""The command line: one file per verb, each with a `command`."""

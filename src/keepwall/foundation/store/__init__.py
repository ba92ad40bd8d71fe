"""The state of one installation: SQLite by default, PostgreSQL by a URL.

Import the entry point from its own module, ``from keepwall.foundation.store.store import Store``;
this package imports nothing by itself, so that naming it costs nothing.
"""

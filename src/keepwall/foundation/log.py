"""Messages of the program itself: standard library logging, on standard error, one line each."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

from keepwall.formats.plain_text import visible

LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""By verbosity: -1 (quiet), 0, 1 and 2."""


class LineFormatter(logging.Formatter):
    """One line per message; what others wrote in it cannot break it or steer a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return ``keepwall: level: message``; a traceback is left to ``--debug``."""
        return f"keepwall: {record.levelname.lower()}: {visible(record.getMessage())}"


def configure_log(verbosity: int = 0, stream: TextIO | None = None) -> logging.Handler:
    """Send the messages of Keepwall to `stream` (standard error), and return the handler.

    `verbosity` runs from -1 (errors only) to 2 (everything); calling again replaces the handler.
    Only an entry point calls this; a program that imports Keepwall keeps its own logging.
    """
    logger = logging.getLogger("keepwall")
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(LineFormatter())
    for old in [each for each in logger.handlers if isinstance(each.formatter, LineFormatter)]:
        logger.removeHandler(old)
    logger.addHandler(handler)
    logger.setLevel(LEVELS[max(-1, min(verbosity, 2)) + 1])
    logger.propagate = False
    # asyncio warns of things between it and a library that no user can act on.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    return handler

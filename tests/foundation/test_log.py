"""Messages of the program itself."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from keepwall.foundation.log import configure_log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logger = logging.getLogger("keepwall")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


@pytest.mark.parametrize(("verbosity", "lines"), [(-1, 1), (0, 2), (1, 3), (2, 4), (9, 4), (-9, 1)])
def test_verbosity(verbosity: int, lines: int) -> None:
    stream = io.StringIO()
    configure_log(verbosity, stream)
    logger = logging.getLogger("keepwall.part")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logger.log(level, "said")
    assert len(stream.getvalue().splitlines()) == lines


def test_again_replaces() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_log(0, first)
    configure_log(0, second)
    logging.getLogger("keepwall.part").warning("once")
    assert (first.getvalue(), second.getvalue()) == ("", "keepwall: warning: once\n")


def test_what_others_wrote_cannot_fake_a_line() -> None:
    stream = io.StringIO()
    configure_log(0, stream)
    logging.getLogger("keepwall.part").warning("read %s", "a\nkeepwall: error: fake\x1b[2J")
    assert stream.getvalue() == "keepwall: warning: read a\\nkeepwall: error: fake\\x1b[2J\n"

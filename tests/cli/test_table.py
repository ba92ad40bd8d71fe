"""Tables for a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from keepwall.cli.table import Cell, fitted, fitted_tail, render_table

ROWS = [("high", "app/agent.py:17", "an agent runs a shell"), ("low", "日本語/メモ.py", "wide")]
_STYLE = re.compile(r"\x1b\[[\d;]*m")


def test_wide_enough() -> None:
    assert render_table(("how", "where", "what"), ROWS, width=80) == (
        "how   where            what\n"
        "high  app/agent.py:17  an agent runs a shell\n"
        "low   日本語/メモ.py   wide"
    )


def test_columns_give_way_in_order() -> None:
    shown = render_table(("how", "where", "what"), ROWS, width=32, shrink=((2, 8), (1, 8)))
    assert shown.splitlines()[1] == "high  app/agent.py:17  an agent…"[:32]


@pytest.mark.parametrize("width", [1, 5, 20, 40, 80, 160])
def test_no_line_is_too_wide(width: int) -> None:
    shown = render_table(("how", "where", "what"), ROWS, width=width, shrink=((2, 8), (1, 8)))
    assert max(map(cell_len, shown.splitlines())) <= width


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30)), max_size=5), st.integers(10, 60)
)
def test_hostile_cells(rows: list[tuple[str, str]], width: int) -> None:
    shown = render_table(("a", "b"), rows, width=width, shrink=((0, 4), (1, 4)))
    lines = shown.split("\n")
    assert len(lines) == len(rows) + 1
    assert max(map(cell_len, lines)) <= width
    assert "\x1b" not in shown


def test_colour_only_where_wanted_and_never_from_the_text() -> None:
    rows = [(Cell("\x1b[5mred", "31"), "x")]
    assert "\x1b" not in render_table(("a", "b"), rows, width=40)
    shown = render_table(("a", "b"), rows, width=40, color=True)
    assert "\x1b" not in _STYLE.sub("", shown)
    assert r"\x1b[5mred" in shown


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=20), st.integers(1, 12))
def test_fitted_is_exact(text: str, width: int) -> None:
    assert cell_len(fitted(text, width)) == width


def test_a_path_keeps_its_end() -> None:
    rows = [(Cell("notebooks/deep/first-look.ipynb:18", tail=True), "x")]
    shown = render_table(("where", "what"), rows, width=24, shrink=((0, 8),))
    assert shown.splitlines()[1] == "…rst-look.ipynb:18  x"


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"]), max_size=20), st.integers(1, 12))
def test_fitted_tail_is_never_too_wide(text: str, width: int) -> None:
    shown = fitted_tail(text, width)
    assert cell_len(shown) <= width
    assert text.endswith(shown.removeprefix("…"))

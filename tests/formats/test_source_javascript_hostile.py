import time

import pytest

from keepwall.formats.source.javascript import Dialect, read_javascript
from keepwall.vocabulary.errors import FormatError

LINE = "\n"


@pytest.mark.parametrize(
    ("unit", "reason"),
    [
        ("{a:", "blocks"),  # ended the process: the parser's own stack
        ("a<b,", "type arguments"),  # gigabytes
        ("(", "brackets"),
        ("f(()=>{", "blocks"),
        ("[", "brackets"),
        ("`${", "blocks"),
    ],
)
def test_what_would_exhaust_the_parser_is_refused_before(unit, reason):
    source = (unit * (900_000 // len(unit))).encode()
    started = time.thread_time()
    for text in (source, (LINE.join([unit] * (900_000 // (len(unit) + 1)))).encode()):
        with pytest.raises(FormatError, match=f"{reason}|generated"):
            read_javascript(text, Dialect.TYPESCRIPT)
    assert time.thread_time() - started < 3


@pytest.mark.parametrize(
    "unit", ["!", "new ", ".then(a=>b)", "a=b;b=a;", "const f=()=>{", "f(x);", "a?b:", "'x'+", "a."]
)
def test_deep_and_wide_sources_end_in_time(unit):
    source = ((unit + LINE) * (100_000 // (len(unit) + 1))).encode()
    started = time.thread_time()
    try:
        read_javascript(source, Dialect.JAVASCRIPT)
    except FormatError as error:
        assert error.message  # noqa: PT017 - either answer will do, in time
    assert time.thread_time() - started < 8


def test_a_table_within_a_table_does_not_swell():
    lines = ["import { m } from 'm'", "const a0 = ['xxxxxxxxxx']"]
    lines += [f"const a{i} = [{', '.join([f'a{i - 1}'] * 40)}]" for i in range(1, 12)]
    module = read_javascript(LINE.join([*lines, "m(a11)"]).encode(), Dialect.JAVASCRIPT)
    assert len(repr(module.calls)) < 10_000


def test_names_in_a_circle_end():
    source = (
        b"import {m} from 'm'\nconst a = b ?? c, b = c || a, c = { ...a }, d = d\nm(a, b, c.x, d)"
    )
    (call,) = read_javascript(source, Dialect.JAVASCRIPT).calls
    assert call.arguments["0"] is None


@pytest.mark.parametrize(
    "source",
    [
        b"\xff\xfe const a = '\xff' ; m(a)",
        b"import {m} from '\\u{110000}\\ud800\\x41'; m('\\u{110000}', '\\ud83d\\ude00', '\\')",
        b"import {} from ; export from ''; const {} = ; class { ; f(,,); new ; a?.[; `${",
        b"",
        b"\x00" * 5_000,
        b"#!/usr/bin/env node\nm()",
    ],
)
def test_odd_bytes_are_read_or_refused(source):
    for dialect in Dialect:
        read_javascript(source, dialect)


def test_texts_are_cut_and_counted():
    source = "import {m} from 'm'\n" + "m('" + "x " * 4_000 + "',\n" + "1,\n" * 100 + ")"
    (call,) = read_javascript(source.encode(), Dialect.JAVASCRIPT).calls
    assert len(call.arguments["0"]) == 2_000
    assert len(call.arguments) == 20

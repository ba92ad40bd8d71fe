import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.safe_json import load_json, load_json_with_comments
from keepwall.vocabulary.errors import FormatError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_was_written_is_read_back(value):
    data = json.dumps(value).encode()
    assert load_json(data) == value
    assert load_json_with_comments(data) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    for load in (load_json, load_json_with_comments):
        with contextlib.suppress(FormatError):
            load(data)


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 101 + b"]" * 101])
def test_deep_nesting_is_refused_before_it_is_parsed(data):
    with pytest.raises(FormatError, match="nested deeper"):
        load_json(data)


def test_brackets_in_strings_do_not_count():
    assert load_json(b'["' + b"[" * 1_000 + b'"]') == ["[" * 1_000]


def test_too_many_values_are_refused():
    with pytest.raises(FormatError, match="more than"):
        load_json(b"[" + b"1," * 100 + b"1]", nodes=50)


def test_an_endless_string_takes_linear_time():
    started = time.process_time()
    with pytest.raises(FormatError):
        load_json(b'["' + b'\\"' * 2_000_000)
    with pytest.raises(FormatError):
        load_json_with_comments(b'["' + b'\\"' * 500_000 + b"/*" * 500_000)
    assert time.process_time() - started < 5


def test_comments_and_trailing_commas_are_allowed_where_editors_allow_them():
    text = b'{\n // a comment\n "url": "http://x//y", /* another */ "b": [1, 2,],\n}'
    assert load_json_with_comments(text) == {"url": "http://x//y", "b": [1, 2]}

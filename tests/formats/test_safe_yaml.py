import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.safe_yaml import YamlLimits, YamlMap, load_yaml
from keepwall.vocabulary.errors import FormatError

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9))
    for name in range(98, 112)
)

YAML = st.recursive(
    st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc xyz-0:#'\"\n", max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(YAML)
def test_what_another_writer_wrote_is_read_back(value):
    assert load_yaml(yaml.safe_dump(value).encode()) == [value]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(FormatError):
        load_yaml(data)


def test_lines_keys_merges_and_documents():
    first, second = load_yaml(
        b"x: &base {image: a, privileged: yes}\non:\n  push:\nservice:\n  <<: *base\n  image: "
        b"b\n---\n- 1\n- 2.5\n"
    )
    assert isinstance(first, YamlMap)
    assert first["service"] == {"image": "b", "privileged": True}
    assert first["on"] == {"push": None}
    assert first["service"].line_of("image") == 6
    assert second == [1, 2.5]
    assert second.lines == [8, 9]


def test_quoted_words_stay_text():
    assert load_yaml(b"[\"yes\", '1', no, ~, 1e3, 0x10, 2024-01-01]") == [
        ["yes", "1", False, None, "1e3", "0x10", "2024-01-01"]
    ]


def test_billion_laughs():
    with pytest.raises(FormatError, match="more than"):
        load_yaml(BOMB)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"[" * 100_000, "nested deeper"),
        (b"{a: " * 100_000, "nested deeper"),
        (b"- " * 5_000 + b"x", "nested deeper"),
        (b"a: &a [*a]", "recursive alias"),
        (b"a: *nobody", "alias"),
        (b"a: [", "line 2: not YAML"),
        (b"\xff\xfe\xff", "not UTF-8"),
        (b"a: \x00", "not YAML"),
        (b"--- 1\n" * 3_000, "documents"),
    ],
)
def test_hostile_documents_are_refused_with_the_place(data, reason):
    with pytest.raises(FormatError, match=reason):
        load_yaml(data)


def test_tags_construct_nothing():
    assert load_yaml(b"!!python/object/apply:os.system ['touch /tmp/owned']") == [
        ["touch /tmp/owned"]
    ]


def test_a_wide_document_is_bounded():
    with pytest.raises(FormatError, match="more than 100 values"):
        load_yaml(b"[" + b"1," * 200 + b"1]", YamlLimits(nodes=100))

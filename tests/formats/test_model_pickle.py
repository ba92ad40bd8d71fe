import collections
import contextlib
import os
import pickle
import pickletools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.modelfile.bytes_at import MemoryBytes
from keepwall.formats.modelfile.pickle import UNKNOWN, read_pickle, read_pickles
from keepwall.vocabulary.errors import FormatError


class Runs:
    def __reduce__(self):
        return os.system, ("touch /tmp/owned",)


def imports(data: bytes) -> tuple[str, ...]:
    return read_pickle(MemoryBytes(data)).imports


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_would_run_is_seen_in_every_protocol(protocol):
    found = read_pickle(MemoryBytes(pickle.dumps({"weights": [1.5] * 50, "x": Runs()}, protocol)))
    assert f"{os.system.__module__}.system" in found.imports
    assert found.calls
    assert found.complete


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_imports_nothing(protocol):
    value = {"a": [1, 2.0, "x" * 1_000, b"y" * 70_000, None, True, (1, {2})], "n": 2**100}
    found = read_pickle(MemoryBytes(pickle.dumps(value, protocol)))
    assert set(found.imports) <= {"_codecs.encode", "__builtin__.set", "builtins.set"}
    assert found.complete


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(VALUES, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_every_opcode_of_the_standard_library_is_walked_to_its_end(value, protocol):
    data = pickle.dumps(collections.OrderedDict(a=value), protocol)
    found = read_pickle(MemoryBytes(data + b"rest"))
    expected = list(pickletools.genops(data))[-1][2]
    assert found.complete
    assert found.end == expected + 1 == len(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_walked_or_refused(data):
    with contextlib.suppress(FormatError):
        read_pickle(MemoryBytes(data))


@pytest.mark.parametrize(
    "data",
    [
        # The harmless pair is pushed last and popped again: what remains imports os.system.
        b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x0bcollections\x8c\x0bOrderedDict00\x93.",
        # The names come from the memo, where one was overwritten.
        b"\x80\x04\x8c\x0bcollectionsq\x00\x8c\x02osq\x000\x8c\x06systemq\x010h\x00h\x01\x93.",
        # A name of two parts reaches through a harmless module.
        b"\x80\x04\x8c\x0bcollections\x8c\x0a_sys.modules\x93.",
        # Both kinds of memo keys are mixed.
        b"\x80\x04\x8c\x02os\x94\x8c\x0bcollectionsq\x07\x94h\x00h\x01\x93.",
    ],
)
def test_names_cannot_be_hidden_behind_harmless_ones(data):
    assert imports(data) != ()
    assert not set(imports(data)) & {"collections.OrderedDict", "collections._sys.modules"}


def test_more_imports_than_are_kept_count_as_unknown():
    flood = b"".join(b"cm%d\nf\n0" % number for number in range(300))
    assert UNKNOWN in imports(b"\x80\x02" + flood + b"cos\nsystem\n.")


def test_several_pickles_in_a_row_are_all_read():
    data = pickle.dumps(1) + pickle.dumps({"a": 1}) + pickle.dumps(Runs()) + b"\0" * 100
    found = read_pickles(MemoryBytes(data))
    assert len(found) == 3
    assert found[2].imports


def test_a_pickle_without_an_end_is_bounded():
    found = read_pickle(MemoryBytes(b"\x80\x04" + b"N0" * 1_000_000), opcodes=1_000)
    assert not found.complete


def test_a_length_beyond_the_file_reads_nothing():
    found = read_pickle(MemoryBytes(b"\x80\x04\x8e" + b"\xff" * 8 + b"abc"))
    assert not found.complete

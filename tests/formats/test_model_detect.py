import contextlib
import gzip
import io
import json
import pickle
import struct
import subprocess
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.modelfile.bytes_at import MemoryBytes
from keepwall.formats.modelfile.detect import detect_model
from keepwall.formats.modelfile.zip import read_directory, read_member
from keepwall.vocabulary.errors import FormatError

HARMLESS = frozenset(
    {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "numpy.dtypes."}
)


class Runs:
    def __reduce__(self):
        return subprocess.Popen, (["id"],)


BAD = pickle.dumps(Runs())
GOOD = pickle.dumps([1, 2, 3])


def model(data: bytes, name: str):
    return detect_model(MemoryBytes(data), name, HARMLESS)


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, data in members.items():
            target.writestr(name, data)
    return buffer.getvalue()


def safetensors(header: dict, body: bytes = b"\0" * 8) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def gguf(texts: dict[str, str]) -> bytes:
    data = b"GGUF" + struct.pack("<IQQ", 3, 2, len(texts) + 1)
    for key, value in texts.items():
        data += struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", 8)
        data += struct.pack("<Q", len(value)) + value.encode()
    tokens = struct.pack("<IIQ", 9, 8, 2) + 2 * (struct.pack("<Q", 1) + b"t")
    return data + struct.pack("<Q", 3) + b"key" + tokens


def numpy_array(kind: str, body: bytes) -> bytes:
    header = f"{{'descr': '|{kind}', 'fortran_order': False, 'shape': (1,), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


TENSOR = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(
    ("data", "name", "kind", "executes"),
    [
        (GOOD, "a.pkl", "pickle", False),
        (BAD, "a.pkl", "pickle", True),
        (BAD, "weights", "pickle", True),
        (pickle.dumps(Runs(), 0), "a.pkl", "pickle", True),
        (BAD, "a.bin", "pytorch-legacy", True),
        (zlib.compress(BAD), "a.joblib", "joblib", True),
        (gzip.compress(BAD), "a.pkl", "pickle", True),
        (GOOD + BAD, "model.pt", "pytorch-legacy", True),
        (archive({"m/data.pkl": GOOD, "m/data/0": b"\0" * 99}), "m.pt", "pytorch", False),
        (archive({"m/data.pkl": BAD, "m/data/0": b"\0" * 99}), "m.zip", "pytorch", True),
        (archive({"m/data.pkl": BAD}, zipfile.ZIP_DEFLATED), "m.pt", "pytorch", True),
        (archive({"m/data.pkl": GOOD, "m/x.pkl": BAD}), "m.pt", "pytorch", True),
        (safetensors(TENSOR), "m.safetensors", "safetensors", False),
        (
            gguf({"general.name": "m", "tokenizer.chat_template": "{{ x }}"}),
            "m.gguf",
            "gguf",
            False,
        ),
        (gguf({"tokenizer.chat_template": "{{ x.__class__ }}"}), "m.gguf", "gguf", True),
        (b"\x89HDF\r\n\x1a\n keras_version", "m.h5", "keras-hdf5", False),
        (b'\x89HDF\r\n\x1a\n keras_version {"class_name": "Lambda"}', "m.h5", "keras-hdf5", True),
        (
            archive({"config.json": b'{"class_name": "Lambda"}', "metadata.json": b"{}"}),
            "m.keras",
            "keras",
            True,
        ),
        (archive({"config.json": b"{}", "metadata.json": b"{}"}), "m.keras", "keras", False),
        (numpy_array("O", BAD), "a.npy", "numpy-objects", True),
        (archive({"a.npy": numpy_array("O", BAD)}), "a.npz", "numpy-objects", True),
        (b"\0\0\0\0TFL3", "m.tflite", "tflite", False),
        (b"\x08\x0a\x12\x07pytorch\x3a\x02\x0a\x00\x42\x02\x10\x11", "m.onnx", "onnx", False),
    ],
)
def test_formats_are_told_by_content_and_judged(data, name, kind, executes):
    found = model(data, name)
    assert found is not None
    assert (found.format, found.executes) == (kind, executes)
    assert bool(found.reason) == executes


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty.bin"),
        (b"plain text", "notes"),
        (b"\x7fELF\x02", "program.bin"),
        (archive({"a.txt": b"x"}), "a.zip"),
        (numpy_array("f", b"\0" * 4), "a.npy"),
        (b"\x89HDF\r\n\x1a\n measurements", "a.h5"),
        (b'{"a": 1}', "a.pt"),
    ],
)
def test_other_files_are_no_models(data, name):
    assert model(data, name) is None


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"not a pickle", "a.pkl"),
        (b"GGUF\x03", "m.gguf"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "m.gguf"),
        (b"abc", "m.safetensors"),
        (struct.pack("<Q", 2**62) + b"{", "m.safetensors"),
        (safetensors({"w": {"data_offsets": [0, 2**40]}}), "m.safetensors"),
        (struct.pack("<Q", 200_000) + b"[" * 200_000, "m.safetensors"),
        (b"PK\x03\x04 cut", "m.pt"),
        (b"\xff" * 50, "m.onnx"),
    ],
)
def test_what_claims_to_be_a_model_and_is_not_is_refused(data, name):
    with pytest.raises(FormatError):
        model(data, name)


@given(
    st.sampled_from(
        [b"", b"GGUF\x03\0\0\0", b"PK\x03\x04", b"\x80\x04", b"\x93NUMPY\x01\0", b"\x08\x07"]
    ),
    st.binary(max_size=300),
    st.sampled_from(["a.pkl", "a.pt", "a.onnx", "a.safetensors", "a.h5", "a.npz", "a.joblib", "a"]),
)
def test_any_bytes_are_judged_or_refused(head, data, name):
    with contextlib.suppress(FormatError):
        model(head + data, name)


def test_a_zip_bomb_is_unpacked_only_as_far_as_asked():
    data = archive({"m/data.pkl": b"\0" * 200_000_000}, zipfile.ZIP_DEFLATED)
    (member,) = read_directory(MemoryBytes(data))
    assert len(read_member(MemoryBytes(data), member, 1_000)) == 1_000


def test_a_directory_that_lies_is_refused():
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65_535, 65_535, 2**31, 0, 0)
    with pytest.raises(FormatError, match="is not read"):
        read_directory(MemoryBytes(b"PK\x03\x04" + b"\0" * 40 + end))


def test_members_beyond_four_gigabytes_are_found():
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as target,
        target.open("m/data.pkl", "w", force_zip64=True) as member,
    ):
        member.write(BAD)
    found = model(buffer.getvalue(), "m.pt")
    assert found is not None
    assert found.executes


def test_a_prefix_covers_what_lies_below_it_only():
    bad = b"\x80\x02cnumpy.dtypes\nFloat64\n0cnumpy\nload\n."
    found = model(bad, "a.pkl")
    assert found is not None
    assert found.reason == "imports numpy.load"


@pytest.mark.parametrize("data", [b"\x80\x04", BAD[:-3], GOOD[:-1]])
def test_a_pickle_that_is_cut_says_so(data):
    found = model(data, "a.pkl")
    assert found is not None
    assert "to its end" in found.unread

"""Which model format a file has, by its content, and what it would run when it is loaded."""

from __future__ import annotations

import posixpath
import re
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from keepwall.formats.modelfile import gguf
from keepwall.formats.modelfile.bytes_at import BytesAt, MemoryBytes
from keepwall.formats.modelfile.onnx import read_onnx
from keepwall.formats.modelfile.pickle import Pickle, read_pickle, read_pickles
from keepwall.formats.modelfile.safetensors import looks_like_safetensors, read_safetensors
from keepwall.formats.modelfile.zip import (
    Member,
    inflate,
    member_slice,
    read_directory,
    read_member,
)
from keepwall.vocabulary.errors import FormatError

HEAD_BYTES = 64
PICKLE_SUFFIXES = frozenset(
    {
        ".pkl",
        ".pickle",
        ".pt",
        ".pth",
        ".ckpt",
        ".bin",
        ".joblib",
        ".dill",
        ".cloudpickle",
        ".p",
        ".mar",
    }
)
_UNPACKED = 64 << 20
_KERAS_SCAN = 4 << 20
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(?:Lambda|TFOpLambda)"')
_TEMPLATE = re.compile(
    r"__(?:class|globals|subclasses|import|builtins|mro|base)__|\bos\s*\.\s*(?:system|popen)|"
    r"subprocess|\battr\s*\("
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file: its format, whether loading it may run code, what it imports, and why.

    `unread` names what was not read of it, and is empty where everything was.
    """

    format: str
    executes: bool = False
    imports: tuple[str, ...] = ()
    reason: str = ""
    unread: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


def detect_model(source: BytesAt, name: str, harmless: Collection[str]) -> ModelFile | None:
    """Return the model that `source` holds, or None where it is none.

    `name` decides only where the content does not: pickles of old protocols, ONNX and archives
    have no magic number of their own. `harmless` are the dotted names, or prefixes that end in a
    dot, whose import by a pickle runs nothing that matters.

    Raises:
        FormatError: it claims to be a model and is damaged.
    """
    head = source.read_at(0, HEAD_BYTES)
    suffix = posixpath.splitext(name.lower())[1]
    if head.startswith(gguf.MAGIC):
        return _gguf(source)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return _hdf5(source)
    if looks_like_safetensors(head, source.size):
        found = read_safetensors(source)
        return ModelFile("safetensors", details={"tensors": str(found.tensors)})
    if suffix == ".safetensors":
        raise FormatError("not safetensors, although its name says so")
    if head.startswith(b"PK\x03\x04"):
        return _archive(source, suffix, harmless)
    if head[4:8] == b"TFL3":
        return ModelFile("tflite")
    if head.startswith(b"\x93NUMPY"):
        return _numpy(source, head, harmless)
    if suffix == ".onnx":
        onnx = read_onnx(source)
        reason = "operators that need foreign code: " + ", ".join(onnx.foreign_domains)
        return ModelFile(
            "onnx",
            reason=reason if onnx.foreign_domains else "",
            details={"producer": onnx.producer},
        )
    if name.lower() == "saved_model.pb":
        return _saved_model(source)
    return _pickle_like(source, head, suffix, harmless)


def _pickle_like(
    source: BytesAt, head: bytes, suffix: str, harmless: Collection[str]
) -> ModelFile | None:
    packed: Callable[[], bytes] | None = None
    if head[:1] == b"\x78" and suffix in PICKLE_SUFFIXES:
        packed = lambda: inflate(source, _UNPACKED, wbits=zlib.MAX_WBITS)  # noqa: E731 - called once below
    elif head.startswith(b"\x1f\x8b") and (suffix in PICKLE_SUFFIXES):
        packed = lambda: inflate(source, _UNPACKED, wbits=zlib.MAX_WBITS | 16)  # noqa: E731 - same
    protocol = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"
    if packed is None and not protocol and suffix not in PICKLE_SUFFIXES:
        return None
    content: BytesAt = MemoryBytes(packed()) if packed is not None else source
    try:
        found = read_pickles(content)
    except FormatError:
        if protocol or suffix in (".pkl", ".pickle", ".joblib", ".dill"):
            raise
        return None
    if not protocol and packed is None and not (found[0].complete or found[0].imports):
        return None
    cut = packed is not None and content.size >= _UNPACKED
    legacy = suffix in (".pt", ".pth", ".ckpt", ".bin")
    kind = "joblib" if suffix == ".joblib" else "pytorch-legacy" if legacy else "pickle"
    return _judged(kind, found, harmless, cut=cut)


def _judged(
    kind: str, pickles: list[Pickle], harmless: Collection[str], *, cut: bool = False
) -> ModelFile:
    """Return the verdict over all pickles of a file: any foreign import may run code."""
    imports = tuple(dict.fromkeys(name for each in pickles for name in each.imports))
    foreign = [name for name in imports if not is_harmless(name, harmless)]
    # Raw tensors or arrays follow the pickles in joblib and old PyTorch files.
    complete = pickles[0].complete if kind != "joblib" else True
    return ModelFile(
        kind,
        executes=bool(foreign),
        imports=imports,
        reason="imports " + ", ".join(foreign[:5]) if foreign else "",
        unread="" if complete and not cut else "the pickle could not be read to its end",
        details={"protocol": str(pickles[0].protocol)},
    )


def is_harmless(name: str, harmless: Collection[str]) -> bool:
    """Return whether `name`, or a prefix of it that ends in a dot, is listed as harmless."""
    if name in harmless:
        return True
    parts = name.split(".")
    return any(".".join(parts[:count]) + "." in harmless for count in range(1, len(parts)))


def _gguf(source: BytesAt) -> ModelFile:
    found = gguf.read_gguf(source)
    templates = [text for key, text in found.texts.items() if "chat_template" in key]
    suspicious = next((match[0] for each in templates if (match := _TEMPLATE.search(each))), "")
    details = {
        key.removeprefix("general."): found.texts[key][:200]
        for key in ("general.architecture", "general.name", "general.license")
        if key in found.texts
    }
    return ModelFile(
        "gguf",
        executes=bool(suspicious),
        reason=f"its chat template reaches for {suspicious}" if suspicious else "",
        details={**details, "tensors": str(found.tensors)},
    )


def _hdf5(source: BytesAt) -> ModelFile | None:
    """Keras keeps its configuration as JSON text in an attribute, near either end of the file."""
    head = source.read_at(0, _KERAS_SCAN)
    tail = source.read_at(max(source.size - _KERAS_SCAN, 0), _KERAS_SCAN)
    keras = b"keras_version" in head or b"model_config" in head or b"keras_version" in tail
    runs = bool(_LAMBDA.search(head) or _LAMBDA.search(tail))
    reason = "a Lambda layer holds Python code" if runs else ""
    return ModelFile("keras-hdf5", executes=runs, reason=reason) if keras or runs else None


def _saved_model(source: BytesAt) -> ModelFile:
    data = source.read_at(0, _KERAS_SCAN)
    operators = [name for name in (b"PyFunc", b"ReadFile", b"WriteFile") if name in data]
    names = ", ".join(each.decode() for each in operators)
    return ModelFile(
        "tensorflow-savedmodel",
        executes=bool(operators),
        reason=f"its graph uses {names}" if operators else "",
        unread=""
        if source.size <= _KERAS_SCAN
        else f"only the first {_KERAS_SCAN} bytes were read",
    )


def _numpy(source: BytesAt, head: bytes, harmless: Collection[str]) -> ModelFile | None:
    """An array of objects is a pickle in disguise; any other is plain numbers."""
    wide = head[6:7] > b"\x01"
    length = int.from_bytes(head[8 : 12 if wide else 10], "little")
    start = (12 if wide else 10) + length
    header = source.read_at(0, min(start, 1 << 16))
    if b"'|O'" not in header and b'"|O"' not in header:
        return None
    return _judged("numpy-objects", [read_pickle(source, start)], harmless)


def _archive(source: BytesAt, suffix: str, harmless: Collection[str]) -> ModelFile | None:
    members = read_directory(source)
    names = {each.name for each in members}
    pickles = [each for each in members if each.name.endswith((".pkl", ".pickle"))]
    torch = [
        each for each in pickles if posixpath.basename(each.name) in ("data.pkl", "constants.pkl")
    ]
    if torch:
        script = any("/code/" in name for name in names)
        found = [_member_pickle(source, each) for each in pickles[:20]]
        verdict = _judged("torchscript" if script else "pytorch", found, harmless)
        if (
            script
            and verdict.executes
            and all(
                name.startswith("__torch__.") or is_harmless(name, harmless)
                for name in verdict.imports
            )
        ):
            return ModelFile("torchscript", imports=verdict.imports, details=verdict.details)
        return verdict
    if "config.json" in names and ("metadata.json" in names or suffix == ".keras"):
        config = next(each for each in members if each.name == "config.json")
        runs = _LAMBDA.search(read_member(source, config, _KERAS_SCAN)) is not None
        return ModelFile(
            "keras", executes=runs, reason="a Lambda layer holds Python code" if runs else ""
        )
    if suffix in PICKLE_SUFFIXES and pickles:
        found = [_member_pickle(source, each) for each in pickles[:20]]
        return _judged("archive", found, harmless)
    arrays = [each for each in members if each.name.endswith(".npy")]
    if suffix == ".npz" and arrays:
        return _first_objects(source, arrays, harmless)
    return None


def _member_pickle(source: BytesAt, member: Member) -> Pickle:
    if member.method == 0:
        return read_pickle(member_slice(source, member))
    return read_pickle(MemoryBytes(read_member(source, member, _UNPACKED)))


def _first_objects(
    source: BytesAt, arrays: list[Member], harmless: Collection[str]
) -> ModelFile | None:
    """Return the first array of objects in an ``.npz``, which is loaded like a pickle."""
    for member in arrays[:100]:
        data = MemoryBytes(read_member(source, member, 1 << 20))
        found = _numpy(data, data.read_at(0, HEAD_BYTES), harmless)
        if found is not None:
            return found
    return None

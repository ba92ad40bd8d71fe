"""Which model format a file has, by its content, and what it would run when it is loaded."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from keepwall.formats.modelfile import gguf
from keepwall.formats.modelfile.bytes_at import BytesAt, MemoryBytes
from keepwall.formats.modelfile.graphs import LIMIT, cut, dangerous_operators, keras_reason
from keepwall.formats.modelfile.magic import by_magic
from keepwall.formats.modelfile.onnx import read_onnx
from keepwall.formats.modelfile.pickle import Pickle, read_pickle, read_pickles
from keepwall.formats.modelfile.safetensors import looks_like_safetensors, read_safetensors
from keepwall.formats.modelfile.tar import is_tar, read_tar
from keepwall.formats.modelfile.unpacking import UNREAD, packing, unpacked
from keepwall.formats.modelfile.windows import found_in
from keepwall.formats.modelfile.zip import (
    Member,
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
        ".pdparams",
        ".pdopt",
        ".nemo",
    }
)
_UNPACKED = 64 << 20
_EXPORTED = ("serialized_exported_program.json", "models/model.json", "archive_format")
_CONFIGURATION = 4 << 20
_PACKED_SUFFIXES = (".gz", ".z", ".zlib", ".bz2", ".xz", ".lzma", ".lz4", ".zst", ".7z")
_KERAS = re.compile(rb"keras_version|model_config")
_GRAPH = re.compile(rb"\x12(?:\x0bPlaceholder|\x05Const)")
_TYPE = re.compile(rb'"__(class|module)__"\s*:\s*"([\w.]{1,200})"')
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
    stem, suffix = posixpath.splitext(name.lower())
    if suffix in _PACKED_SUFFIXES:
        suffix = posixpath.splitext(stem)[1]
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
    return _without_magic(source, head, name.lower(), suffix, harmless)


def _without_magic(
    source: BytesAt, head: bytes, name: str, suffix: str, harmless: Collection[str]
) -> ModelFile | None:
    if suffix == ".pb":
        return _graph(source, saved=name == "saved_model.pb")
    if kind := by_magic(head, suffix):
        return ModelFile(kind)
    if is_tar(source):
        return _tar(source, suffix, harmless)
    return _pickle_like(source, head, suffix, harmless)


def _pickle_like(
    source: BytesAt, head: bytes, suffix: str, harmless: Collection[str]
) -> ModelFile | None:
    packed = packing(head) if suffix in PICKLE_SUFFIXES else ""
    protocol = head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05"
    if packed in UNREAD:
        return ModelFile("packed", unread=f"packed with {packed}, which is not read")
    if not packed and not protocol and suffix not in PICKLE_SUFFIXES:
        return None
    content: BytesAt = MemoryBytes(unpacked(source, packed, _UNPACKED)) if packed else source
    if packed and is_tar(content):
        return _tar(content, suffix, harmless)
    try:
        found = read_pickles(content)
    except FormatError:
        if protocol or suffix in (".pkl", ".pickle", ".joblib", ".dill"):
            raise
        return None
    if not protocol and not packed and not (found[0].complete or found[0].imports):
        return None
    cut = bool(packed) and content.size >= _UNPACKED
    legacy = suffix in (".pt", ".pth", ".ckpt", ".bin")
    paddle = suffix in (".pdparams", ".pdopt")
    kind = "joblib" if suffix == ".joblib" else "pytorch-legacy" if legacy else "pickle"
    return _judged("paddle-pickle" if paddle else kind, found, harmless, cut=cut)


def _tar(source: BytesAt, suffix: str, harmless: Collection[str]) -> ModelFile | None:
    """Return the verdict over an archive of NeMo, or over the pickles of old PyTorch files."""
    members = list(read_tar(source))
    names = {posixpath.basename(each.name) for each in members}
    nemo = "model_config.yaml" in names
    if suffix not in PICKLE_SUFFIXES or not (nemo or {"sys_info", "pickle"} <= names):
        return None
    verdict = ModelFile("nemo" if nemo else "pytorch-tar")
    for each in members:
        weights = each.name.endswith((".ckpt", ".pt", ".pth", ".bin", ".pkl"))
        if weights or posixpath.basename(each.name) == "pickle":
            found = _weights(each.content, harmless)
            if found is not None and (found.executes or found.unread or not verdict.imports):
                verdict = replace(found, format=verdict.format)
            if verdict.executes:
                break
    return verdict


def _weights(content: BytesAt, harmless: Collection[str]) -> ModelFile | None:
    head = content.read_at(0, HEAD_BYTES)
    if head.startswith(b"PK\x03\x04"):
        return _archive(content, ".pt", harmless)
    return _pickle_like(content, head, ".pt", harmless)


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
    """Keras keeps its configuration as JSON text in an attribute."""
    if next(found_in(source, _KERAS, LIMIT), None) is None:
        return None
    reason = keras_reason(source)
    return ModelFile("keras-hdf5", executes=bool(reason), reason=reason, unread=cut(source))


def _graph(source: BytesAt, *, saved: bool) -> ModelFile | None:
    if not saved and not _GRAPH.search(source.read_at(0, _CONFIGURATION)):
        return None
    names = ", ".join(dangerous_operators(source))
    return ModelFile(
        "tensorflow-savedmodel" if saved else "tensorflow-graph",
        executes=bool(names),
        reason=f"its graph uses {names}" if names else "",
        unread=cut(source),
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
        data = read_member(source, config, _CONFIGURATION)
        reason = keras_reason(MemoryBytes(data))
        left = "" if len(data) < _CONFIGURATION else "only the start of config.json was read"
        return ModelFile("keras", executes=bool(reason), reason=reason, unread=left)
    if "schema.json" in names and suffix == ".skops":
        return _skops(
            source, next(each for each in members if each.name == "schema.json"), harmless
        )
    if "MAR-INF/MANIFEST.json" in names:
        return _served(source, pickles, names, harmless)
    if suffix == ".pt2" and any(name.endswith(_EXPORTED) for name in names):
        return ModelFile("pytorch-export")
    if suffix in PICKLE_SUFFIXES and pickles:
        found = [_member_pickle(source, each) for each in pickles[:20]]
        return _judged("archive", found, harmless)
    arrays = [each for each in members if each.name.endswith(".npy")]
    if suffix == ".npz" and arrays:
        return _first_objects(source, arrays, harmless)
    return None


def _skops(source: BytesAt, schema: Member, harmless: Collection[str]) -> ModelFile:
    """Return the types that a skops file needs; its loader refuses those that are not trusted."""
    data = read_member(source, schema, _CONFIGURATION)
    modules: list[str] = []
    names: list[str] = []
    for found in _TYPE.finditer(data):
        (modules if found[1] == b"module" else names).append(found[2].decode())
    types = dict.fromkeys(f"{module}.{name}" for name, module in zip(names, modules, strict=False))
    foreign = [each for each in types if not is_harmless(each, harmless)]
    return ModelFile(
        "skops",
        imports=tuple(types)[:200],
        reason="asks to trust " + ", ".join(foreign[:5]) if foreign else "",
        unread="" if len(data) < _CONFIGURATION else "only the start of schema.json was read",
    )


def _served(
    source: BytesAt, pickles: list[Member], names: set[str], harmless: Collection[str]
) -> ModelFile:
    """Return the verdict over an archive of TorchServe: its handler is code by design."""
    found = [_member_pickle(source, each) for each in pickles[:20]]
    verdict = _judged("torchserve", found, harmless) if found else ModelFile("torchserve")
    handlers = sorted(each for each in names if each.endswith(".py"))
    if handlers and not verdict.reason:
        verdict = replace(verdict, reason="brings its own code: " + ", ".join(handlers[:5]))
    return verdict


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

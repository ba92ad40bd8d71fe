"""Data sets that lie in the repository, or that DVC keeps for it.

Not every table is one: a file counts where its folder or name says what it is for and the code
around it is of machine learning, where such code names it, or where DVC keeps it. Only the first
bytes are read. Many files of one kind in one folder are one data set: the folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.path_context import path_context
from keepwall.discover.reading import OpenFile
from keepwall.discover.source import FileView, Source, TreeContext, asset, without_secrets
from keepwall.formats.safe_yaml import YamlLimits, YamlMap, load_yaml
from keepwall.vocabulary.asset import AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather", ".tfrecord")
_HEAD = 4_096
_MANY = 20
"""As many files of one kind in a folder are shards of one data set."""
_FOLDERS = re.compile(
    r"(?:data|datasets?|corpus|corpora|evals?|evaluations?|ground[_-]?truths?|gold(?:en)?|"
    r"benchmarks?|train(?:ing)?(?:[_-]data)?|valid(?:ation)?|holdout|labels?|annotations|raw|"
    r"processed|fine[_-]?tun(?:e|ing)(?:[_-]data)?|seed[_-]?data|few[_-]?shots?)\Z"
)
_NAMES = re.compile(
    r"(?:.*[_.-])?(?:ground[_-]?truth|train|training|validation|valid|holdout|eval|evals|dataset|"
    r"datasets|golden|labels|labeled|annotations|corpus|fine[_-]?tun\w*|few[_-]?shots?|sft|dpo|rlhf|"
    r"qa|instructions?|preferences)(?:[_.-].*)?\Z"
)
_RESULTS = re.compile(
    r"(?:results?|outputs?|logs?|reports?|artifacts|metrics|locales?|i18n|runs|public|static|assets|"
    r"migrations|cassettes)\Z"
)
_MANIFESTS = re.compile(
    r"(?:requirements.*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|pipfile|environment\.ya?ml|"
    r"package\.json)\Z"
)
_PACKAGE = re.compile(r"[A-Za-z][\w.-]{1,60}")
_CODE = (".py", ".ipynb", ".json", ".yaml", ".yml", ".toml", ".sh", ".r")
_MOST_CODE = 60
_CODE_BYTES = 512 << 10
_BINARY = {
    ".parquet": (b"PAR1",),
    ".arrow": (b"ARROW1", b"\xff\xff\xff\xff"),
    ".feather": (b"ARROW1", b"FEA1"),
}


def may_be_dataset(path: str) -> bool:
    """Return whether a file may be a data set, by its name alone."""
    lowered = path.lower()
    if not lowered.endswith(SUFFIXES) or path_context(path) in ("test", "docs"):
        return False
    *folders, _ = lowered.split("/")
    return not any(_RESULTS.match(each) for each in folders)


def observe_dataset(path: str, file: OpenFile, context: TreeContext) -> Iterator[Observation]:
    """Yield the data set that a file is, or is a part of; nothing where it is none.

    Raises:
        FormatError: the file cannot be read.
    """
    suffix = posixpath.splitext(path.lower())[1]
    if not file.size or not _has_shape(file.read_at(0, _HEAD), suffix):
        return
    folder, name = posixpath.split(path)
    stem = name.lower().rpartition(".")[0]
    telling = _NAMES.match(stem) or (folder and _FOLDERS.match(posixpath.basename(folder).lower()))
    if not (telling and _is_learning(folder, context)) and not _is_named(folder, name, context):
        return
    shards = sum(each.lower().endswith(suffix) for each in context.near.files(folder))
    key = folder if shards >= _MANY and folder else path
    details = {"format": suffix[1:]} | ({"files": str(shards)} if key == folder else {})
    yield from _dataset(key, Location(path), details, context)


def _dataset(
    key: str, place: Location, details: dict[str, str], context: TreeContext
) -> Iterator[Observation]:
    key = posixpath.normpath(key)
    name = posixpath.basename(key)
    attributes = {"provider": "repository", **details}
    found = asset(context, AssetKind.DATASET, key, name, Surface.DATA, (place,), attributes)
    yield found
    yield Relation(context.project.id, RelationKind.READS, found.id)


def _has_shape(head: bytes, suffix: str) -> bool:
    """Return whether the first bytes are of a table or of records, as the name says."""
    if suffix in _BINARY:
        return head.startswith(_BINARY[suffix])
    if suffix == ".tfrecord":
        return len(head) > 12  # noqa: PLR2004 - length and its checksum
    if b"\0" in head or head.startswith(b"version https://git-lfs"):
        return head.startswith(b"version https://git-lfs")
    lines = head.decode("utf-8", "replace").lstrip("\ufeff").splitlines()
    first = lines[0] if lines else ""
    if suffix in (".jsonl", ".ndjson"):
        return first.lstrip().startswith(("{", "["))
    mark = "\t" if suffix == ".tsv" else ","
    rows = [each for each in lines[:5] if each.strip()]
    return len(rows) > 1 and (mark in first or ";" in first or "\t" in first or len(first) < 80)  # noqa: PLR2004 - a name of one column


def _is_learning(folder: str, context: TreeContext) -> bool:
    """Return whether a manifest of this folder, or of one above it, names a library of AI."""
    known = context.catalogue.library
    for above in _upwards(folder):
        for name in context.near.files(above):
            if not _MANIFESTS.match(name.lower()):
                continue
            data = context.near.read(posixpath.join(above, name), _CODE_BYTES)
            index = "npm" if name == "package.json" else "pypi"
            words = set(_PACKAGE.findall((data or b"").decode("utf-8", "replace")))
            if any(known(index, each.lower().replace("_", "-").rstrip(".-")) for each in words):
                return True
    return False


def _upwards(folder: str) -> Iterator[str]:
    yield folder
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def _is_named(folder: str, name: str, context: TreeContext) -> bool:
    """Return whether code or settings in this folder or the one above name the file as data."""
    if not _is_learning(folder, context):
        return False
    pattern = re.compile(
        rb"(?:read_(?:csv|json|parquet|table|feather)|load_dataset|from_(?:csv|json|parquet)|"
        rb"data_files|training_file|testdata_path|dataset_path|train_file|eval_file)"
        rb"[^\n]{0,200}" + re.escape(name.encode("utf-8", "replace"))
    )
    looked = 0
    for above in dict.fromkeys((folder, posixpath.dirname(folder))):
        for each in context.near.files(above):
            if each.lower().endswith(_CODE) and looked < _MOST_CODE:
                looked += 1
                data = context.near.read(posixpath.join(above, each), _CODE_BYTES)
                if data and pattern.search(data):
                    return True
    return False


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return name.endswith(".dvc") or name in ("dvc.yaml", "dvc.yml")


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    folder = posixpath.dirname(view.path)
    for document in load_yaml(view.data, limits):
        for path, line in _kept(document):
            key = posixpath.normpath(posixpath.join(folder, path))
            if "://" in path:
                key = without_secrets(path)
            elif key.startswith("..") or not _is_data(key):
                continue
            yield from _dataset(key, Location(view.path, line), {"kept_by": "dvc"}, context)


def _is_data(path: str) -> bool:
    *folders, name = path.lower().split("/")
    plain = any(_FOLDERS.match(each) for each in (*folders, name))
    suffix = posixpath.splitext(name)[1]
    return name.endswith(SUFFIXES) or (plain and suffix in ("", ".json", ".txt", ".zip", ".gz"))


def _kept(document: object) -> Iterator[tuple[str, int]]:
    """Yield the outputs of a ``.dvc`` file, and what stages of ``dvc.yaml`` read or write."""
    if not isinstance(document, YamlMap):
        return
    stages = document.get("stages")
    tables = [document, *(stages.values() if isinstance(stages, YamlMap) else ())]
    for table in tables:
        if not isinstance(table, YamlMap):
            continue
        for field in ("outs", "deps") if table is not document else ("outs",):
            entries = table.get(field)
            for each in entries if isinstance(entries, list) else ():
                line = table.line_of(field)
                if isinstance(each, str) and "${" not in each:
                    yield each, line
                elif isinstance(each, YamlMap):
                    path = each.get("path")
                    first = next(iter(each), "")
                    if isinstance(path, str):
                        yield path, each.line
                    elif isinstance(each.get(first), YamlMap) and "${" not in first:
                        yield first, each.line


DATASETS = Source("datasets", _wants, _observe)

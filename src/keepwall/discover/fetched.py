"""What scripts and pipelines fetch and reach: data sets by URL, buckets, and roles of a cloud."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.datasets import SUFFIXES
from keepwall.discover.source import FileView, Source, TreeContext, asset, without_secrets
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_NAMES = ("makefile", "gnumakefile", "justfile")
_ENDINGS = (".sh", ".bash", ".mk", ".yml", ".yaml")
_FETCH = re.compile(r"\b(?:wget|curl|aria2c|gdown|axel)\b")
_URL = re.compile(r"https?://[^\s\"'<>|;)\\]{4,500}")
_HUB = re.compile(r"https://huggingface\.co/datasets/[\w.-]{1,96}/[\w.-]{1,96}")
_BUCKET = re.compile(
    r"\b(?:aws\s+s3|s5cmd|gsutil|gcloud\s+storage)\b[^\n]{0,300}?\b(?P<scheme>s3|gs)://"
    r"(?P<name>[a-z\d][a-z\d.-]{1,61}[a-z\d])(?=[/\s\"']|$)"
)
_ROLE = re.compile(
    r"\brole-to-assume\s*:\s*[\"']?(arn:aws[\w-]{0,10}:iam::(?P<account>\d{12}):role/[\w+=,.@/-]{1,200})"
)
_AI = re.compile(
    r"\barn:aws[\w-]{0,10}:(?:sagemaker|bedrock|kendra|comprehend|rekognition):[\w-]{0,30}:(?P<account>\d{12}):"
    r"[\w+=,.@/:-]{1,200}"
)
_NOBODY = frozenset({"123456789012", "000000000000", "111122223333", "111111111111"})
_LONGEST = 2_000


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return name in _NAMES or name.endswith(_ENDINGS)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > context.limits.source_bytes or b"\0" in view.data[:8_000]:
        return
    if not re.search(rb"://|arn:aws", view.data):
        return
    seen: set[str] = set()
    for number, line in enumerate(view.text.splitlines(), 1):
        if len(line) > _LONGEST or line.lstrip().startswith("#"):
            continue
        for kind, found in _named(line, number, view, context):
            if found.id not in seen:
                seen.add(found.id)
                yield found
                yield Relation(context.project.id, kind, found.id)


def _named(
    line: str, number: int, view: FileView, context: TreeContext
) -> Iterator[tuple[RelationKind, Asset]]:
    place = view.at(number)
    for match in _URL.finditer(line) if _FETCH.search(line) else ():
        url = match[0]
        path = url.partition("?")[0].lower()
        if "$" not in url and (_HUB.match(url) or path.endswith(SUFFIXES)):
            shown = without_secrets(url).partition("?")[0]
            name, details = posixpath.basename(shown), {"provider": "url"}
            kind, surface = AssetKind.DATASET, Surface.DATA
            yield RelationKind.READS, asset(context, kind, shown, name, surface, place, details)
    for match in _BUCKET.finditer(line):
        aws = match["scheme"] == "s3"
        key = f"arn:aws:s3:::{match['name']}" if aws else f"gs://{match['name']}"
        yield RelationKind.USES, _cloud(key, "bucket", Surface.DATA, view, number, context)
    for pattern, service, surface in (
        (_ROLE, "identity", Surface.PIPELINE),
        (_AI, "AI", Surface.INFERENCE),
    ):
        for match in pattern.finditer(line):
            if match["account"] not in _NOBODY:
                arn = match[1] if service == "identity" else match[0]
                yield RelationKind.USES, _cloud(arn, service, surface, view, number, context)


def _cloud(
    key: str, service: str, surface: Surface, view: FileView, line: int, context: TreeContext
) -> Asset:
    name = key.rpartition(":")[2].rpartition("/")[2]
    place, details = view.at(line), {"service": service}
    return asset(context, AssetKind.CLOUD_RESOURCE, key, name, surface, place, details)


FETCHED = Source("fetched", _wants, _observe)

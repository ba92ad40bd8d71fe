"""CloudFormation and SAM templates, and those that the CDK writes."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.declared_resources import Template, observe_template
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.formats.cloudformation import is_cloudformation, read_cloudformation
from keepwall.formats.safe_yaml import YamlLimits
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation

_ENDINGS = (".yaml", ".yml", ".json", ".template", ".cfn", ".cform")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.lower().endswith(_ENDINGS)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if not is_cloudformation(view.data):
        return
    if len(view.data) > context.limits.source_bytes:
        yield Unread(view.path, f"{len(view.data)} bytes, too many to parse")
        return
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    try:
        declared = read_cloudformation(view.data, limits)
    except FormatError:
        if b"AWSTemplateFormatVersion" not in view.data:
            return  # mentions such types, and is something else
        raise
    yield from observe_template(Template("cloudformation", declared), view, context)


CLOUDFORMATION = Source("cloudformation", _wants, _observe)

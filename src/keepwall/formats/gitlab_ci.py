"""Pipelines of GitLab CI: jobs with images, scripts, variables, runners and what starts them.

Templates of the same file (``extends``, ``default``) are filled in; included files are named and
not followed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from keepwall.formats.container import mapping, sequence, text_of, texts
from keepwall.formats.safe_yaml import YamlList, YamlMap, YamlValue

_NOT_JOBS = frozenset(
    {"default", "include", "stages", "variables", "workflow", "image", "services", "cache", "spec"}
    | {"before_script", "after_script", "types", "pages:deploy"}
)
_DEFAULTS = ("image", "services", "tags", "before_script", "after_script", "id_tokens", "artifacts")
_EXTENDS = 10
_MAXIMUM_LINES = 500
_SOURCES = {
    "merge_request_event": "merge_request",
    "merge_requests": "merge_request",
    "external_pull_request_event": "external_pull_request",
    "external_pull_requests": "external_pull_request",
    "schedules": "schedule",
    "pushes": "push",
    "branches": "push",
    "tags": "tag",
    "triggers": "trigger",
    "pipelines": "pipeline",
    "parent_pipeline": "pipeline",
}
_KNOWN = frozenset(
    {"push", "schedule", "web", "api", "trigger", "pipeline", "merge_request", "tag", "chat"}
    | {"external_pull_request", "main", "master"}
)


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """A line of a script, with where it stands."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Job:
    """A job with what it takes from templates; `triggers` is empty where nothing narrows it."""

    name: str
    images: tuple[tuple[str, int], ...]
    script: tuple[ScriptLine, ...]
    variables: Mapping[str, str | None]
    runner: tuple[str, ...]
    triggers: tuple[str, ...]
    environment: str
    artifacts: tuple[str, ...]
    tokens: tuple[str, ...]
    trigger: str
    line: int


@dataclass(frozen=True, slots=True)
class GitlabPipeline:
    """A pipeline; `includes` are the files and components that it takes more from."""

    name: str
    jobs: tuple[Job, ...]
    variables: Mapping[str, str | None]
    triggers: tuple[str, ...]
    includes: tuple[tuple[str, int], ...] = field(default=())


def read_gitlab_ci(documents: list[YamlValue]) -> GitlabPipeline | None:
    """Return the pipeline in `documents`, or None where there is none."""
    # A file may begin with a document that holds only the inputs of a component.
    document = next((each for each in reversed(documents) if isinstance(each, YamlMap)), None)
    if document is None:
        return None
    defaults = {**_chosen(document, _DEFAULTS), **mapping(document.get("default"))}
    templates = _Templates(document)
    jobs = tuple(
        _job(name, value, templates, defaults)
        for name, value in document.items()
        if name not in _NOT_JOBS and isinstance(value, YamlMap) and not name.startswith(".")
    )
    includes = tuple(_includes(document))
    if not jobs and not includes:
        return None
    workflow = mapping(document.get("workflow"))
    own = tuple(dict.fromkeys(_rule_triggers(workflow.get("rules"))))
    triggers = dict.fromkeys((*own, *(each for job in jobs for each in job.triggers)))
    return GitlabPipeline(
        text_of(workflow.get("name")),
        jobs,
        _variables(document.get("variables")),
        tuple(triggers) or ("push",),
        includes,
    )


def _chosen(value: Mapping[str, YamlValue], names: tuple[str, ...]) -> dict[str, YamlValue]:
    return {name: value[name] for name in names if name in value}


def _job(
    name: str, value: YamlMap, templates: _Templates, defaults: Mapping[str, YamlValue]
) -> Job:
    inherits = mapping(value.get("inherit")).get("default") is not False
    whole = {**(defaults if inherits else {}), **templates.whole(value)}
    environment = whole.get("environment")
    trigger = whole.get("trigger")
    inner = mapping(trigger).get("include") or mapping(trigger).get("project") or trigger
    return Job(
        name=name,
        images=tuple(_images(whole, value)),
        script=tuple(_script(whole, value)),
        variables=_variables(whole.get("variables")),
        runner=tuple(texts(sequence(whole.get("tags")))),
        triggers=tuple(dict.fromkeys(_triggers(whole))),
        environment=text_of(mapping(environment).get("name")) or text_of(environment),
        artifacts=tuple(texts(sequence(mapping(whole.get("artifacts")).get("paths")))),
        tokens=tuple(mapping(whole.get("id_tokens"))),
        trigger=text_of(inner) or next((each for each, _ in _include(inner, 0)), ""),
        line=value.line,
    )


class _Templates:
    """What jobs extend: each template is put together once, and one that extends itself ends."""

    def __init__(self, document: YamlMap) -> None:
        self._document = document
        self._known: dict[str, dict[str, YamlValue]] = {}

    def whole(self, value: YamlMap, depth: int = 0) -> dict[str, YamlValue]:
        """Return a job with what it extends; what it says itself wins, mappings are joined."""
        found: dict[str, YamlValue] = {}
        parents = value.get("extends")
        names = texts(sequence(parents)) or texts([parents])
        for name in names[:_EXTENDS] if depth < _EXTENDS else []:
            found = _joined(found, self._named(name, depth))
        return _joined(found, value)

    def _named(self, name: str, depth: int) -> dict[str, YamlValue]:
        if name not in self._known:
            self._known[name] = {}
            value = self._document.get(name)
            if isinstance(value, YamlMap):
                self._known[name] = self.whole(value, depth + 1)
        return self._known[name]


def _joined(
    first: Mapping[str, YamlValue], second: Mapping[str, YamlValue]
) -> dict[str, YamlValue]:
    joined = dict(first)
    for key, value in second.items():
        have = joined.get(key)
        both = isinstance(have, dict) and isinstance(value, dict)
        joined[key] = {**mapping(have), **mapping(value)} if both else value
    return joined


def _images(whole: Mapping[str, YamlValue], job: YamlMap) -> Iterator[tuple[str, int]]:
    image = whole.get("image")
    named = [image, *sequence(whole.get("services"))]
    lines = [job.line_of("image"), *([job.line_of("services")] * len(named))]
    for value, line in zip(named, lines, strict=False):
        text = text_of(mapping(value).get("name")) or text_of(value)
        if text and "$" not in text:
            yield text, value.line if isinstance(value, YamlMap) else line


def _script(whole: Mapping[str, YamlValue], job: YamlMap) -> Iterator[ScriptLine]:
    """Yield the lines of all scripts; lists in lists are joined, as GitLab does."""
    count = 0
    for key in ("before_script", "script", "after_script"):
        for text, line in _lines(whole.get(key), job.line_of(key), 0):
            count += 1
            if count > _MAXIMUM_LINES:
                return
            yield ScriptLine(text[:4_000], line)


def _lines(value: YamlValue, line: int, depth: int) -> Iterator[tuple[str, int]]:
    if isinstance(value, list) and depth < _EXTENDS:
        lines = value.lines if isinstance(value, YamlList) else []
        for index, each in enumerate(value):
            yield from _lines(each, lines[index] if index < len(lines) else line, depth + 1)
    elif text := text_of(value):
        yield text, line


def _variables(value: YamlValue) -> dict[str, str | None]:
    return {
        name: text_of(mapping(each).get("value")) if isinstance(each, dict) else text_of(each)
        for name, each in mapping(value).items()
    }


def _triggers(job: Mapping[str, YamlValue]) -> Iterator[str]:
    yield from _rule_triggers(job.get("rules"))
    only = job.get("only")
    for word in texts(sequence(only) or sequence(mapping(only).get("refs")) or [only]):
        found = _SOURCES.get(word, word)
        yield found if found in _KNOWN else "push"


def _rule_triggers(rules: YamlValue) -> Iterator[str]:
    """Yield the sources that conditions name; a rule that never runs names none."""
    for rule in sequence(rules)[:200]:
        condition = text_of(mapping(rule).get("if"))
        if mapping(rule).get("when") == "never":
            continue
        words = condition.replace('"', " ").replace("'", " ").split()
        for word, found in [(word, _SOURCES.get(word, word)) for word in words]:
            if "CI_PIPELINE_SOURCE" in condition and found in _KNOWN:
                yield found
            elif word in ("$CI_MERGE_REQUEST_IID", "$CI_MERGE_REQUEST_ID"):
                yield "merge_request"
            elif word == "$CI_COMMIT_TAG":
                yield "tag"


def _includes(document: YamlMap) -> Iterator[tuple[str, int]]:
    value = document.get("include")
    line = document.line_of("include")
    yield from _include(value, line)


def _include(value: YamlValue, line: int) -> Iterator[tuple[str, int]]:
    for each in value if isinstance(value, list) else [value]:
        entry = mapping(each)
        place = each.line if isinstance(each, YamlMap) else line
        kind = next(
            (
                key
                for key in ("project", "remote", "template", "component", "local")
                if key in entry
            ),
            "",
        )
        if kind == "project":
            files = texts(sequence(entry.get("file"))) or [text_of(entry.get("file"))]
            at = text_of(entry.get("ref"))
            for file in files[:50]:
                yield f"{text_of(entry['project'])}:{file}{f'@{at}' if at else ''}", place
        elif text := text_of(entry.get(kind)) if kind else text_of(each):
            yield f"{kind or 'local'}:{text}", place

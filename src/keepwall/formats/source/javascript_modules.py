"""What JavaScript imports, as dotted names: ``npm:@scope/name.path.Export``, ``node:fs.read``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_BUILTIN = frozenset(
    {"assert", "async_hooks", "buffer", "child_process", "cluster", "console", "crypto", "dgram"}
    | {"diagnostics_channel", "dns", "dns/promises", "events", "fs", "fs/promises", "http"}
    | {"http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process"}
    | {"punycode", "querystring", "readline", "readline/promises", "repl", "stream"}
    | {"stream/promises", "string_decoder", "timers", "timers/promises", "tls", "tty", "url"}
    | {"util", "v8", "vm", "worker_threads", "zlib"}
)
"""Modules of Node.js (https://nodejs.org/api) that are imported without their prefix."""
_ADDRESS = re.compile(
    r"(?:npm:|https://(?:esm\.sh|esm\.run|cdn\.skypack\.dev|unpkg\.com|cdn\.jsdelivr\.net/npm)/)/?"
)
_VERSION = re.compile(r"(?<=.)@[^/]*")
_ENDING = re.compile(r"(?:\.[cm]?[jt]sx?|\.json)$|/\+esm$")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MAXIMUM = 150


def module_name(specifier: str) -> str:
    """Return the dotted name of a module, without version, file ending and ``index``.

    Relative modules start with a dot, as in Python; those of Node.js with ``node:``, others with
    ``npm:``, also where they are fetched from a mirror of npm.
    """
    text = specifier[:_MAXIMUM].split("?", 1)[0]
    if text.startswith((".", "/")):
        return text if text.startswith(".") else f".{text}"
    if text.startswith("node:") or text in _BUILTIN:
        return "node:" + text.removeprefix("node:").replace("/", ".")
    text = _ADDRESS.sub("", text, count=1)
    scoped = text.startswith("@")
    name, *rest = _VERSION.sub("", text, count=1).split("/")
    if scoped and rest:
        name = f"{name}/{rest.pop(0)}"
    path = [each for each in _ENDING.sub("", "/".join(rest)).split("/") if each]
    if path and path[-1] == "index":
        path.pop()
    return "npm:" + ".".join((name, *path))


def keyword(name: str) -> str:
    """Return a property in snake case, which is how the arguments of calls are told."""
    if name.islower():
        return name
    return _WORDS.sub("_", name).lower() if name.isidentifier() else name


@dataclass(slots=True)
class Modules:
    """The modules that one file imports; `defaults` names what a package exports by default."""

    defaults: Mapping[str, str]
    known: set[str] = field(default_factory=set)

    def add(self, specifier: str) -> str:
        """Return the dotted name of an imported module."""
        name = module_name(specifier)
        self.known.add(name)
        return name

    def default(self, module: str) -> str:
        """Return the dotted name of the default export; the module itself where it is not known."""
        name = self.defaults.get(module)
        return f"{module}.{name}" if name else module

    def member(self, base: str, name: str) -> str:
        """Return the dotted name of a member of `base`."""
        if base in self.known and name == "default":
            return self.default(base)
        return f"{base}.{name}"

"""Configurations of MCP clients: the servers that they start or call."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepwall.formats.line_index import LineIndex
from keepwall.formats.safe_json import load_json_with_comments

_EXACT_NPM = re.compile(r"(@?[^@]+)@v?(\d+\.\d+\.\d+[-+.\w]*)$")
_TAGGED_NPM = re.compile(r"(@?[^@]+)@([^@/]+)$")
_EXACT_PYPI = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(==|@)(\d[\w.!+-]*)$")
_NODE = frozenset({"npx", "bunx", "pnpx"})
_PYTHON = frozenset({"uvx", "pipx"})
_CONTAINER = frozenset({"docker", "podman", "nerdctl"})
_PACKAGE_OPTIONS = frozenset({"--from", "--package", "-p", "--with", "--spec"})
_VALUE_OPTIONS = frozenset(
    {"-e", "--env", "-v", "--volume", "--mount", "--name", "--network", "-p", "--publish", "-u"}
    | {"--user", "--entrypoint", "-w", "--workdir", "--env-file", "--add-host", "--python"}
)
_SHELLS = frozenset({"cmd", "cmd.exe", "sh", "bash", "zsh"})


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server in a client's configuration; `environment` holds its variables with values.

    `package` is what is fetched and run, without version (empty for a local program); `pinned`
    says that the same code starts every time: an exact version, a digest, or a local program.
    """

    name: str
    transport: str
    command: str
    arguments: tuple[str, ...]
    url: str
    environment: Mapping[str, str]
    package: str
    pinned: bool
    line: int

    @property
    def key(self) -> str:
        """The canonical key: the URL, else the command with its package argument."""
        if self.url:
            return self.url
        if self.package:
            return f"{posixpath.basename(self.command)} {self.package}"
        words = [each for each in self.arguments if not each.startswith("-")]
        return " ".join([posixpath.basename(self.command.replace("\\", "/")), *words[:1]])


def read_mcp_client(data: bytes) -> Iterator[McpServer]:
    """Yield the servers of a client configuration (``mcpServers``, VS Code's ``servers``).

    Raises:
        FormatError: it is not JSON (comments are allowed).
    """
    document = load_json_with_comments(data)
    lines = LineIndex(data.decode("utf-8", "replace"))
    for table in _tables(document):
        for name, value in table.items():
            if isinstance(value, dict) and (
                "command" in value or "url" in value or "serverUrl" in value
            ):
                yield _server(name, value, lines.at(f'"{name}"'))


def _tables(document: object) -> Iterator[Mapping[str, object]]:
    """Yield every table of servers, also those below ``mcp`` or below a project."""
    if not isinstance(document, dict):
        return
    for key in ("mcpServers", "servers", "context_servers"):
        if isinstance(document.get(key), dict):
            yield document[key]
    if isinstance(document.get("mcp"), dict):
        yield from _tables(document["mcp"])
    projects = document.get("projects")
    for project in projects.values() if isinstance(projects, dict) else ():
        if isinstance(project, dict) and isinstance(project.get("mcpServers"), dict):
            yield project["mcpServers"]


def described_server(name: str, value: Mapping[str, object], line: int) -> McpServer | None:
    """Return the server that a table such as ``{command, args, env}`` or ``{url}`` describes."""
    known = any(isinstance(value.get(each), str) for each in ("command", "url", "serverUrl"))
    return _server(name, value, line) if known else None


def _server(name: str, value: Mapping[str, object], line: int) -> McpServer:
    url = _text(value.get("url") or value.get("serverUrl"))
    command = value.get("command")
    words = [str(each) for each in command] if isinstance(command, list) else [_text(command)]
    args = value.get("args")
    words += [_text(each) for each in args] if isinstance(args, list) else []
    kind = _text(value.get("type") or value.get("transport"))
    variables = value.get("env")
    package, pinned = fetched_package(words)
    return McpServer(
        name=name,
        transport=kind
        or ("stdio" if not url else "sse" if url.rstrip("/").endswith("/sse") else "http"),
        command=words[0],
        arguments=tuple(words[1:]),
        url=url,
        environment={str(key): _text(each) for key, each in variables.items()}
        if isinstance(variables, dict)
        else {},
        package=package,
        pinned=False if url else pinned,
        line=line,
    )


def fetched_package(words: list[str]) -> tuple[str, bool]:
    """Return the package that a command line fetches and runs, and whether it is pinned.

    The package is empty where the command starts a program that is already there.
    """
    while words and posixpath.basename(words[0]) in _SHELLS and len(words) > 2:  # noqa: PLR2004 - shell, option, command
        words = words[2:] if len(words) > 3 else words[2].split()  # noqa: PLR2004 - same
    program = (
        posixpath.basename(words[0].replace("\\", "/")).removesuffix(".exe").removesuffix(".cmd")
        if words
        else ""
    )
    rest = words[1:]
    if program in ("uv", "npm", "pnpm", "yarn", "bun", "pipx", "deno"):
        while rest and rest[0] in ("tool", "run", "exec", "x", "dlx", "--"):
            if (
                program == "uv"
                and rest[0] == "run"
                and "--with" not in rest
                and "--from" not in rest
            ):
                return "", True
            program, rest = {"uv": "uvx", "pipx": "pipx"}.get(program, "npx"), rest[1:]
    argument = _package_argument(rest)
    if program in _NODE:
        return _versioned(argument, _EXACT_NPM, _TAGGED_NPM)
    if program in _PYTHON:
        return _versioned(argument, _EXACT_PYPI, _EXACT_PYPI)
    if program in _CONTAINER:
        image = argument if rest[:1] == ["run"] else ""
        name, _, digest = image.partition("@")
        return name, bool(digest)
    return "", True


def _package_argument(words: list[str]) -> str:
    """Return the first argument that names what is run, past options and their values."""
    words = [word for word in words if word != "run"]
    for index, word in enumerate(words):
        option, mark, value = word.partition("=")
        if option in ("--from", "--package", "--spec") and mark:
            return value
        if word in _PACKAGE_OPTIONS - {"-p"} and index + 1 < len(words):
            return words[index + 1]
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _VALUE_OPTIONS:
            skip = True
        elif not word.startswith("-"):
            return word
    return ""


def _versioned(argument: str, exact: re.Pattern[str], tagged: re.Pattern[str]) -> tuple[str, bool]:
    if match := exact.match(argument):
        return match[1], True
    if re.search(r"@[0-9a-f]{40}$", argument):
        return argument.rpartition("@")[0], True
    if match := tagged.match(argument):
        return match[1], False
    return argument, not argument or argument.startswith((".", "/"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""

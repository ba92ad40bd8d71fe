"""Tell what a program is for AI: by how it is started, else by what it has loaded or imports."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.catalogue import Catalogue, Program, started_names
from keepwall.discover.host_data import host_data
from keepwall.discover.host_processes import Process, base_name
from keepwall.discover.host_users import read_small
from keepwall.discover.host_view import HostView, below
from keepwall.discover.reading import shown_path
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.surface import Surface

SERVER = "mcp-server"
CLIENT = "client"
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*$")
_NODE = re.compile(r"(?:node|nodejs|bun|deno|tsx)$")
_JAVA_CLASS = re.compile(r"[a-z]\w*(?:\.\w+)*\.[A-Z]\w*$")
_NPM = re.compile(r"node_modules/((?:@[\w.-]+/)?[\w.-]+)/")
_PACKAGE = re.compile(r"(@[\w.-]+/[\w.-]+)(?:@[\w.^~-]+)?$")
_MCP = re.compile(r"(?i)(?:^|[-_/@.])mcp(?:[-_./]|$)|^@modelcontextprotocol/server-")
_APPLICATION = re.compile(r"([A-Za-z_][\w.]{0,100}):[A-Za-z_][\w.]{0,60}(?:\(\))?$")
_IMPORT = re.compile(r"(?m)^[ \t]{0,8}(?:from|import)[ \t]{1,4}([A-Za-z_][\w.]{0,100})")
_MAPPED = re.compile(
    r"/(?:site|dist)-packages/(torch|tensorflow|jaxlib|onnxruntime|vllm|sglang|llama_cpp"
    r"|ctranslate2|faiss|exllamav2|tensorrt|chromadb_rust_bindings)/"
)
_VECTOR = re.compile(r"/postgresql\S{0,60}/(vector|vectors|vchord)\.so")
_COMPUTES = frozenset({"/dev/nvidia-uvm", "/dev/kfd"})
_SCRIPT_BYTES = 256 << 10
_MAPS_BYTES = 1 << 20
_NAME = 80


@dataclass(frozen=True, slots=True)
class Role:
    """What a running program is for AI; `name` is for people, `program` as the catalogue has it."""

    name: str
    program: str
    surface: Surface
    role: str
    ambiguous: bool = False


def command_words(argv: Sequence[str]) -> tuple[str, ...]:
    """Return a command line as words, also where a program has set a title of one text."""
    words = tuple(argv)
    if len(words) == 1 and " " in words[0]:
        return tuple(words[0].split()) or words
    return words


def command_names(argv: Sequence[str]) -> list[str]:
    """Return what a command line starts, most telling first: packages, modules, scripts."""
    words = command_words(argv)[:200]
    first = posixpath.basename(words[0].replace("\\", "/")) if words else ""
    if _NODE.match(first) or first in ("npm", "npx"):
        return _node_names(words[1:])
    if first == "java":
        return [word for word in words[1:] if _JAVA_CLASS.match(word)][-1:]
    scripts = host_data("programs")["scripts"]
    known = [name for end, name in scripts.items() if any(_ends(word, end) for word in words[:6])]
    title = [first.partition("::")[0].lower()] if "::" in first else []  # ray:: and VLLM::
    return [*known, *started_names(words), *title]


def _ends(word: str, end: str) -> bool:
    return word == end or word.endswith(f"/{end}")


def _node_names(words: Sequence[str]) -> list[str]:
    script = next((word for word in words if not word.startswith("-") and word != "exec"), "")
    within = _NPM.findall(script)
    named = _PACKAGE.match(script)
    packages = [each for each in within if not each.startswith(".")] + ([named[1]] if named else [])
    base = posixpath.basename(script)
    known = host_data("programs")["packages"]
    name = base.removesuffix(".js").removesuffix(".mjs").removesuffix(".cjs")
    names = [known[each] for each in packages if each in known]
    return [*names, *packages[-1:], *([name] if name else [])]


def shown_name(text: str) -> str:
    """Return a name that a program gave itself, safe to print and of bounded length."""
    return visible(shown_path(text.encode("utf-8", "replace").decode()))[:_NAME]


def started_role(argv: Sequence[str], catalogue: Catalogue) -> Role | None:
    """Return what a command line starts for AI, by its names alone."""
    names = command_names(argv)
    for name in names:
        program = catalogue.programs.get(name)
        if program is not None:
            return _as_started(program, names, argv)
    for name in names:
        if _MCP.search(name):
            return Role(shown_name(name), SERVER, Surface.AGENT, SERVER)
    return None


def _as_started(program: Program, names: list[str], argv: Sequence[str]) -> Role | None:
    known = host_data("programs")["subcommands"].get(program.name)
    name = shown_name(_display(program, names))
    role = program.role
    words = _unwrapped(command_words(argv))
    part = any(each.startswith(f"{program.name}.") for each in names) or "::" in words[0]
    if known is not None and not part:
        at = [i for i, word in enumerate(words) if program.name in _base(word).partition(".")]
        rest = words[at[0] + 1 :] if at else ()
        action = next((word for word in rest if not word.startswith("-")), "")
        role = known.get(action) or known.get("*" if action else "") or known.get("*", "")
        if not role:
            return None
    return Role(name, program.name, program.surface, role, program.ambiguous)


def _unwrapped(words: Sequence[str]) -> Sequence[str]:
    """Return what ``sh -c TEXT`` runs, as words."""
    if "-c" in words[1:3] and _base(words[0]) in ("sh", "bash", "dash"):
        return " ".join(words[words.index("-c") + 1 :][:1]).split() or words
    return words


def _display(program: Program, names: list[str]) -> str:
    """Return the short name of a program: that of a module is its top package."""
    return names[-1] if program.name in names and "." in program.name else program.name


def _base(word: str) -> str:
    return posixpath.basename(word.replace("\\", "/"))


def process_role(process: Process, view: HostView) -> Role | None:
    """Return what a process is for AI, or None for one that has nothing to do with it."""
    catalogue = view.context.catalogue
    found = started_role(process.argv, catalogue)
    if found is not None and not found.ambiguous:
        return found
    base = base_name(process)
    if _PYTHON.match(base) or _PYTHON.match(_base(process.argv[0])):
        return _python_role(process, view) or found
    if base.startswith("postgres") and _VECTOR.search(_maps(process, view)):
        return Role("postgres", "postgres", Surface.DATA, "vector-store")
    if found is None and process.devices & _COMPUTES:
        return Role(shown_name(base), base, Surface.INFERENCE, "computes on a GPU")
    return found


def _python_role(process: Process, view: HostView) -> Role | None:
    """Return what a Python program is: by its application, its script, and what it has loaded."""
    names = command_names(process.argv)
    name = shown_name(names[-1] if names else base_name(process))
    known = view.context.catalogue
    for top in _applications(process.argv):
        program = known.programs.get(top) or known.programs.get(top.replace("_", "-"))
        if program is not None and not program.ambiguous:
            return Role(program.name, program.name, program.surface, program.role)
    folder = _link(view.proc / str(process.pid) / "cwd")
    scripts = host_data("programs")["scripts"]
    path = posixpath.join(folder, _script(process.argv)) if folder else _script(process.argv)
    for end, program_name in scripts.items():
        if path.endswith(f"/{end}") and program_name in known.programs:
            found = known.programs[program_name]
            return Role(found.name, found.name, found.surface, found.role)
    if match := _MAPPED.search(_maps(process, view)):
        return Role(name, name, Surface.INFERENCE, f"uses {match[1]}")
    for module in _imports(process, path, view):
        library = known.imported(module)
        if library is not None:
            return Role(name, name, library.surface, f"uses {library.name}")
    return None


def _applications(argv: Sequence[str]) -> Iterator[str]:
    """Yield the top packages of applications that a web server is given, as ``package.app:app``."""
    for word in command_words(argv)[:100]:
        if match := _APPLICATION.match(word):
            yield match[1].partition(".")[0]


def _script(argv: Sequence[str]) -> str:
    words = command_words(argv)[1:20]
    if "-m" in words or "-c" in words:
        return ""
    return next((word for word in words if not word.startswith("-")), "")


def _imports(process: Process, path: str, view: HostView) -> Iterator[str]:
    """Yield the modules that the script of a process imports."""
    if not path.startswith("/") or path.endswith("/"):
        return
    inside = view.proc / str(process.pid) / "root"
    root = inside if inside.is_symlink() else view.root
    for match in _IMPORT.finditer(read_small(below(root, path), _SCRIPT_BYTES)):
        yield match[1]


def _maps(process: Process, view: HostView) -> str:
    return read_small(view.proc / str(process.pid) / "maps", _MAPS_BYTES)


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""

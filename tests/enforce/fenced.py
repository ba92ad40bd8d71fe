"""A place that any user can read, and a way to run programs of it inside a fence."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keepwall

NOBODY = 65534
USERS = (0, NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
"""As whom every test of enforcement runs: also without root, whoever runs the tests."""

_LEFT_OUT = ("site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "ensurepip",
             "lib2to3", "config-*", "turtledemo", "pydoc_data")  # fmt: skip
_PRELUDE = """
import ctypes, errno, mmap, os, signal, socket, struct, sys, threading, time
from keepwall.enforce.runtime import kernel

def call(name, *arguments):
    kept = []
    plain = []
    for each in arguments:
        if isinstance(each, bytes):
            each = ctypes.create_string_buffer(each, len(each) + 1)
        if isinstance(each, ctypes.Array):
            kept.append(each)
            each = ctypes.addressof(each)
        plain.append(each)
    return kernel.call(name, *plain)

kept = []
def flipping(*values):
    # Returns the address of memory that another process fills with each of the values in turn.
    size = max(map(len, values)) + 1
    page = mmap.mmap(-1, 4096)
    values = [each.ljust(size, bytes(1)) for each in values]
    ours = os.getpid()
    if not os.fork():
        while os.getppid() == ours:
            for _ in range(1000):
                for each in values: page[:size] = each
        os._exit(0)
    kept.append(ctypes.c_char.from_buffer(page))
    return ctypes.addressof(kept[-1])

def rounds(most, seconds=15):
    # Yields numbers until there were so many or the time is up: a busy machine does fewer of them.
    end = time.monotonic() + seconds
    for number in range(most):
        if time.monotonic() > end: return
        yield number

def refused(attempt, *arguments):
    try:
        return "done: %r" % (attempt(*arguments),)
    except OSError as error:
        return "refused: " + errno.errorcode.get(error.errno, str(error.errno))
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A readable copy of the interpreter and of keepwall, so that no home need be opened."""

    root: Path

    @property
    def python(self) -> str:
        """The interpreter."""
        return str(self.root / "python/bin/python3")

    @property
    def environment(self) -> dict[str, str]:
        """What the interpreter needs to find itself."""
        return {
            "PATH": "/usr/bin:/bin",
            "PYTHONHOME": str(self.root / "python"),
            "LD_LIBRARY_PATH": str(self.root / "python/lib"),
            "PYTHONPATH": str(self.root / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }


@contextmanager
def stage() -> Iterator[Stage]:
    """Yield a stage in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="kw-fence-") as name:
        root = Path(name)
        root.chmod(0o755)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        home, copy = Path(sys.base_prefix), root / "python"
        ignore = shutil.ignore_patterns(*_LEFT_OUT)
        shutil.copytree(home / "lib" / version, copy / "lib" / version, ignore=ignore)
        (copy / "bin").mkdir()
        shutil.copy(home / "bin" / version, copy / "bin/python3")
        for library in (home / "lib").glob("libpython3*.so*"):
            shutil.copy(library, copy / "lib" / library.name)
        package = Path(next(iter(keepwall.__path__)))
        shutil.copytree(package, root / "src/keepwall", ignore=shutil.ignore_patterns("vendor"))
        shutil.copy(Path(__file__).with_name("fence_runner.py"), root / "fence_runner.py")
        for path in root.rglob("*"):
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        yield Stage(root)


@dataclass(frozen=True, slots=True)
class Result:
    """What a fenced program did."""

    code: int
    out: str
    err: str
    events: list[dict[str, Any]]

    @property
    def text(self) -> str:
        """Everything it said."""
        return self.out + self.err

    def targets(self, effect: str = "deny") -> set[str]:
        """What events with this effect were about."""
        return {event["target"] for event in self.events if event["effect"] == effect}


@dataclass(slots=True)
class World:
    """Files of one test, and the envelope that its programs run in."""

    stage: Stage
    root: Path
    user: int
    canary: str = field(default_factory=lambda: "canary-" + secrets.token_hex(12))
    public: str = field(default_factory=lambda: "public-" + secrets.token_hex(12))

    def prepare(self) -> None:
        """Make what is open, what is writable and what is secret, all of the user's own."""
        for name in ("open", "work", "secret"):
            (self.root / name).mkdir(parents=True)
        (self.root / "secret/canary").write_text(self.canary)
        (self.root / "open/public").write_text(self.public)
        self.own()

    def own(self) -> None:
        """Give everything to the user."""
        for path in (self.root, *self.root.rglob("*")):
            if os.geteuid() == 0:
                os.chown(path, self.user, self.user, follow_symlinks=False)

    def spec(self, **changes: Any) -> dict[str, Any]:
        """Return the envelope of the test, with `changes` (lists are added to)."""
        system = [path for path in ("/lib", "/lib64", "/usr/lib") if Path(path).is_dir()]
        spec: dict[str, Any] = {
            "events": str(self.root / "events"),
            "execute": [os.path.realpath(self.stage.python)],
            "read": [
                f"{self.stage.root}/**",
                f"{self.root}/open/**",
                f"{self.root}/work/**",
                "/etc/ld.so.cache",
                *(f"{path}/**" for path in system),
            ],
            "write": [f"{self.root}/work/**"],
        }
        for key, value in changes.items():
            more = isinstance(value, list) and isinstance(spec.get(key), list)
            spec[key] = [*spec[key], *value] if more else value
        return spec

    def python(self, code: str, *, timeout: float = 60, **changes: Any) -> Result:
        """Run Python code inside the fence."""
        names = {"ROOT": str(self.root), "SECRET": str(self.root / "secret/canary")}
        names |= {"WORK": str(self.root / "work"), "PUBLIC": str(self.root / "open/public")}
        head = "".join(f"{name} = {value!r}\n" for name, value in names.items())
        program = self.root / "open/program.py"
        program.write_text(_PRELUDE + head + code)
        program.chmod(0o644)
        return self.run([self.stage.python, str(program)], timeout=timeout, **changes)

    def command(self, argv: Sequence[str], **changes: Any) -> list[str]:
        """Return the command that runs `argv` inside the fence."""
        path = self.root / "spec.json"
        path.write_text(json.dumps(self.spec(**changes)))
        path.chmod(0o644)
        return [self.stage.python, str(self.stage.root / "fence_runner.py"), str(path), *argv]

    def start(self, argv: Sequence[str], **changes: Any) -> subprocess.Popen[str]:
        """Start `argv` inside the fence, in a session of its own."""
        return subprocess.Popen(
            self.command(argv, **changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=self.stage.environment,
            cwd=self.root / "work",
            start_new_session=True,
            **self.identity(),
        )

    def identity(self) -> dict[str, Any]:
        """Return how to become the user, for `subprocess`."""
        if self.user == os.geteuid():
            return {}
        return {"user": self.user, "group": self.user, "extra_groups": []}

    def run(self, argv: Sequence[str], *, timeout: float = 60, **changes: Any) -> Result:
        """Run `argv` inside the fence to its end."""
        process = self.start(argv, **changes)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Result(process.returncode, out, err, self.events())

    def events(self) -> list[dict[str, Any]]:
        """Return the events so far."""
        try:
            lines = (self.root / "events").read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]

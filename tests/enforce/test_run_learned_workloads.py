"""Workloads of AI teams: learned once, they work in what was learned, with other names and ports."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from learned_runs import works_as_learned

from keepwall.formats.envelope.parse import parse

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SERVER = """
import http.server, os, threading, urllib.request

class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
threading.Thread(target=server.serve_forever, daemon=True).start()
with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/page.txt") as answer:
    print(answer.status, answer.read().decode())
server.shutdown()
"""
SHELL = """
set -eu
cat <<END | sort | uniq -c | tr -s ' ' > counts
b
a
b
END
while read -r number word; do echo "$word=$number"; done < counts
total=$(grep -c . counts)
cat <<< "lines $total"
diff <(sort counts) <(sort -r counts) > changes || true
temporary=$(mktemp -d); trap 'rm -rf "$temporary"' EXIT
seq 1 1000 | awk '{ s += $1 } END { print "sum", s }' | tee "$temporary/sum"
( cd "$temporary" && wc -l < sum ) >> counts
{ echo in background > "$temporary/$$"; cat "$temporary/$$"; } &
wait
printf '%s\\n' *.sh
"""
GIT = """
set -eu
git init -q repository && cd repository
git config user.email ada@example.org; git config user.name Ada
echo one > file; mkdir -p deep/er; echo two > deep/er/file
git add . && git commit -qm first
git checkout -qb other && echo three >> file && git commit -qam second
git status --short --branch; git log --format=%s; git diff HEAD~1 --stat
git checkout -q - && git merge -q other && git stash list && git gc -q && git fsck
"""
MODULES = """
import compileall, importlib, sys
sys.path.insert(0, "packages")
import first, first.second
compileall.compile_dir("packages", quiet=2)
print(first.second.VALUE, first.__cached__ is not None)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    found = tmp_path / "work"
    found.mkdir()
    return found


def wheel(folder: Path, name: str) -> Path:
    """Return a wheel of one module and a console script, written by hand (PEP 427)."""
    information = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": "def main(): print('installed')\n",
        f"{name}/data/table.csv": "a,b\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{information}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    record = f"{information}/RECORD"
    lines = [
        f"{path},sha256="
        f"{base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        f"{len(text)}"
        for path, text in files.items()
    ]
    found = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(found, "w") as archive:
        for path, text in {**files, record: "\n".join([*lines, f"{record},,"]) + "\n"}.items():
            archive.writestr(path, text)
    return found


def remove(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def test_a_wheel_is_installed_into_a_directory(work: Path):
    package = wheel(work, "kwdemo")
    target = work / "target"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    command = [*pip, "--no-index", "--target", str(target), str(package)]
    works_as_learned(command, work, before=lambda: remove(target))
    assert (target / "kwdemo/data/table.csv").read_text() == "a,b\n"


def test_a_repository_from_its_first_day(work: Path):
    bash = shutil.which("bash")
    assert bash
    (work / "story.sh").write_text(GIT)
    said = works_as_learned(
        [bash, "story.sh"],
        work,
        before=lambda: remove(work / "repository"),
        extra={"GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert "second\nfirst\n" in said


def test_a_server_and_its_client_on_other_ports(work: Path):
    (work / "page.txt").write_text("a page")
    (work / "serve.py").write_text(SERVER)
    assert "200 a page" in works_as_learned([sys.executable, "serve.py"], work)


def test_a_shell_script_with_pipes_and_here_documents(work: Path):
    bash = shutil.which("bash")
    assert bash
    (work / "work.sh").write_text(SHELL)
    said = works_as_learned([bash, "work.sh"], work)
    for each in ("b=2", "lines 2", "sum 500500", "in background", "work.sh"):
        assert each in said


def test_a_program_that_compiles_its_modules(work: Path):
    """The caches stay writable as they were learned; the directories around them stay closed."""
    package = work / "packages/first"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (work / "main.py").write_text(MODULES)
    counter = itertools.count()

    def edit() -> None:  # another time and size, so that it is compiled anew
        (package / "second.py").write_text("VALUE = 7\n" + "#" * next(counter))

    said = works_as_learned([sys.executable, "main.py"], work, before=edit)
    assert said == "7 True\n"
    assert len(list((package / "__pycache__").iterdir())) == 2
    writable = parse((work.parent / "learned.yaml").read_bytes(), "").file.write
    assert [rule.path for rule in writable] == [f"{package}/__pycache__/**"]

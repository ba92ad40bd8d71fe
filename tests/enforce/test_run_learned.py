"""Everyday programs: learned in one run, they work unchanged in the envelope that was learned."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from learned_runs import keepwall, unfenced, works_as_learned

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

EVERYTHING = """
import asyncio, concurrent.futures, json, logging, multiprocessing, os, shutil, sqlite3, ssl
import socket, subprocess, sys, tempfile, threading, zipfile
from pathlib import Path

def square(x): return x * x

def main():
    print(subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, text=True).stdout)
    print(subprocess.run("echo shell | cat", shell=True, capture_output=True, text=True).stdout)
    out = []
    threads = [threading.Thread(target=lambda n=n: out.append(square(n))) for n in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    print(sorted(out))
    with multiprocessing.get_context("fork").Pool(2) as pool: print(pool.map(square, range(4)))
    with multiprocessing.get_context("spawn").Pool(2) as pool: print(pool.map(square, range(4)))
    with multiprocessing.Manager() as manager:
        shared = manager.dict(a=1); print(dict(shared))
    with concurrent.futures.ProcessPoolExecutor(2) as pool: print(list(pool.map(square, range(3))))
    with tempfile.TemporaryDirectory() as d:
        path = Path(d, "x.db")
        db = sqlite3.connect(path); db.execute("pragma journal_mode=wal")
        db.execute("create table t(a)"); db.execute("insert into t values (7)"); db.commit()
        print(db.execute("select a from t").fetchall()); db.close()
        with zipfile.ZipFile(Path(d, "z.zip"), "w") as z: z.writestr("a", "b")
        shutil.copy2(path, Path(d, "copy")); shutil.make_archive(str(Path(d, "arch")), "gztar", d, "copy")
        shutil.copytree(d, d + "-2"); shutil.rmtree(d + "-2")
    with tempfile.NamedTemporaryFile() as f: f.write(b"x")
    Path("result.json").write_text(json.dumps({"done": True})); os.replace("result.json", "final.json")
    os.chmod("final.json", 0o600); os.utime("final.json", (1, 1))
    async def echo():
        server = await asyncio.start_server(lambda r, w: (w.write(b"hi"), w.close()), "127.0.0.1", 0)
        r, w = await asyncio.open_connection(*server.sockets[0].getsockname()); print(await r.read())
        proc = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('async')", stdout=-1)
        print((await proc.communicate())[0]); server.close()
    asyncio.run(echo())
    ssl.create_default_context(); logging.warning("to stderr")

if __name__ == "__main__": main()
"""
TRAINING = """
import json, math, os, pickle, random
random.seed(1)
data = [(x / 50, math.sin(x / 50)) for x in range(200)]
w = [random.random() for _ in range(4)]
for epoch in range(30):
    random.shuffle(data)
    for x, y in data:
        features = [1, x, x * x, x ** 3]
        error = sum(a * b for a, b in zip(w, features)) - y
        w = [a - 0.0005 * error * f for a, f in zip(w, features)]
    with open("checkpoint.tmp", "wb") as file: pickle.dump(w, file)
    os.replace("checkpoint.tmp", "checkpoint.pkl")
with open("metrics.jsonl", "a") as file: file.write(json.dumps({"w": w}) + "\\n")
print("trained", len(w))
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    found = tmp_path / "work"
    found.mkdir()
    return found


def test_a_program_that_does_everything(work: Path):
    (work / "everything.py").write_text(EVERYTHING)
    said = works_as_learned([sys.executable, "everything.py"], work)
    for each in ("child", "shell", "[0, 1, 4, 9]", "{'a': 1}", "[(7,)]", "b'hi'", "b'async\\n'"):
        assert each in said


def test_a_training_loop(work: Path):
    (work / "train.py").write_text(TRAINING)
    assert "trained 4" in works_as_learned([sys.executable, "train.py"], work)


def test_pip_list(work: Path):
    command = [sys.executable, "-m", "pip", "list", "--disable-pip-version-check"]
    assert "hypothesis" in works_as_learned(command, work)


def test_git_in_a_repository(work: Path):
    git = shutil.which("git")
    assert git is not None
    for arguments in (
        ["init", "-q"],
        ["config", "user.email", "a@b"],
        ["config", "user.name", "a"],
    ):
        subprocess.run([git, *arguments], cwd=work, check=True)
    (work / "file").write_text("x")
    works_as_learned([git, "add", "file"], work)
    (work.parent / "learned.yaml").unlink()
    (work / "new").write_text("y")
    assert "new" in works_as_learned([git, "status", "--short"], work)
    (work.parent / "learned.yaml").unlink()
    works_as_learned(
        [git, "-c", "commit.gpgsign=false", "commit", "--allow-empty", "-qm", "x"], work
    )


def test_a_notebook(work: Path):
    assert importlib.util.find_spec("ipykernel")
    code = ["import os\n", "total = sum(range(10))\n", "open('out.txt', 'w').write(str(total))"]
    cell = {
        "cell_type": "code",
        "source": code,
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    (work / "book.ipynb").write_text(json.dumps(notebook))
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", "book.ipynb"]
    unfenced(command, work)  # the first run of all sets up a profile, which no later one does
    works_as_learned(command, work)
    assert (work / "out.txt").read_text() == "45"


def test_what_was_not_learned_is_refused(work: Path):
    (work / "train.py").write_text(TRAINING)
    (work / "secret").write_text("canary")
    envelope = work.parent / "learned.yaml"
    assert (
        keepwall(["--learn", str(envelope), "--", sys.executable, "train.py"], work).returncode == 0
    )
    (work / "train.py").write_text("print(open('/etc/hostname').read())")
    result = keepwall(["--envelope", str(envelope), "--", sys.executable, "train.py"], work)
    assert result.returncode == 1
    assert "PermissionError" in result.stderr
    assert "reading /etc/hostname is not in this envelope" in result.stderr


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (["--envelope", "nothing.yaml", "--", "true"], 125, "cannot be read"),
        (["--envelope", "bad.yaml", "--", "true"], 125, "bad.yaml:1"),
        (["--envelope", "good.yaml", "--", "no-such-program"], 125, "no program"),
        (["--learn", "good.yaml", "--", "true"], 125, "there already"),
        (["--envelope", "good.yaml", "--", "/bin/false"], 126, "could not be started"),
        (["--envelope", "weak.yaml", "--", "true"], 125, "--accept-weaker"),
    ],
)
def test_failures_of_its_own(work: Path, command: list[str], code: int, says: str):
    head = "apiVersion: keepwall.dev/v1\nkind: Envelope\nmetadata: {name: a}\nspec:\n"
    (work / "bad.yaml").write_text("a: b\n")
    (work / "good.yaml").write_text(
        head + "  planes: [runtime]\n  minimumStrength: killed-late\n  process: {}\n"
    )
    (work / "weak.yaml").write_text(head + "  planes: [runtime]\n")
    result = keepwall(command, work)
    assert result.returncode == code, result.stderr
    assert says in result.stderr

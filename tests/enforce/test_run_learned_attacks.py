"""An attack while an envelope is learned: it must not become normal, and the person is told."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from learned_runs import home_of, keepwall

from keepwall.formats.envelope.parse import parse

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

ATTACK = """
import os, subprocess, sys
for number in range(6):  # ordinary work, enough of it to mean the whole directory
    open(f"data-{number}.csv").read()
with open("out.txt", "w") as file: file.write("result")
def reads(path):
    try: return len(open(path).read())
    except OSError as error: return error.strerror
home = os.path.expanduser("~")
for path in (".aws/credentials", ".ssh/id_ed25519", ".ssh/known_hosts"):
    print(path, reads(os.path.join(home, path)))
try: os.listdir(os.path.join(home, ".ssh"))
except OSError as error: print("listing", error.strerror)
print("link", reads("/proc/self/root" + home + "/.aws/credentials"))
print(".env", reads(".env"))
print("shell", subprocess.run(["cat", home + "/.aws/credentials"], capture_output=True).stdout)
try:
    with open(".netrc", "a") as file: file.write("machine evil")
    print("wrote .netrc")
except OSError as error: print("write", error.strerror)
try: subprocess.run([home + "/.ssh/tool"]); print("started")
except OSError as error: print("start", error.strerror)
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    found = tmp_path / "work"
    found.mkdir()
    for number in range(6):
        (found / f"data-{number}.csv").write_text("1")
    (found / ".env").write_text("TOKEN=canary-env")
    (found / ".netrc").write_text("machine canary")
    home = home_of(found)
    for path in (".aws/credentials", ".ssh/id_ed25519", ".ssh/known_hosts"):
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text("canary-secret")
    shutil.copy("/bin/true", home / ".ssh/tool")
    return found


def test_an_attack_during_learning_does_not_become_normal(work: Path):
    (work / "app.py").write_text(ATTACK)
    target = work.parent / "learned.yaml"
    home = home_of(work)
    learned = keepwall(["--learn", str(target), "--", sys.executable, "app.py"], work)
    assert learned.returncode == 0, learned.stderr
    assert ".aws/credentials 13" in learned.stdout, "the attack did not take place"
    assert "wrote .netrc" in learned.stdout
    assert "started" in learned.stdout
    for said in (
        f"left out: reading {home}/.aws/credentials: a place of credentials",
        f"left out: reading {home}/.ssh/id_ed25519: a place of credentials",
        f"left out: listing {home}/.ssh: a place of credentials",
        f"left out: starting {home}/.ssh/tool: a place of credentials",
        f"left out: reading {work}/.env: a place of credentials",
        f"left out: writing {work}/.netrc: a place of credentials",
    ):
        assert said in learned.stderr
        assert said.replace("left out", "# Left out") in target.read_text()
    found = parse(target.read_bytes(), "")
    assert not [rule for rule in found.process.allow if ".ssh" in rule.path]
    before = (work / ".netrc").read_text()
    again = keepwall(["--envelope", str(target), "--", sys.executable, "app.py"], work)
    assert again.returncode == 0, again.stderr
    assert (work / "out.txt").read_text() == "result"
    refused = "Permission denied"
    for said in (
        *(f"{path} {refused}" for path in (".aws/credentials", ".ssh/id_ed25519", ".env", "link")),
        *(f"{what} {refused}" for what in ("listing", "write", "start")),
        "shell b''",
    ):
        assert said in again.stdout
    assert (work / ".netrc").read_text() == before
    assert "~/.aws/credentials is not in this envelope" in again.stderr


def test_credentials_beside_the_work_stay_closed_though_nobody_touched_them(work: Path):
    """They may not be renamed, linked or copied out of their place either."""
    deep = work / "service/conf"
    deep.mkdir(parents=True)
    (deep / ".env").write_text("TOKEN=canary-deep")
    (work / "app.py").write_text(
        "import os, sys\n"
        "for number in range(6): open(f'data-{number}.csv').read()\n"
        "open('out.tmp', 'w').write('x'); os.replace('out.tmp', 'out.txt'); print('worked')\n"
        "def attempt(act):\n"
        "    try: print('got', act())\n"
        "    except OSError as error: print('refused', error.strerror)\n"
        "def moved():\n"
        "    os.rename('.env', 'service/env'); return open('service/env').read()\n"
        "def linked():\n"
        "    os.link('service/conf/.env', 'service/copy'); return open('service/copy').read()\n"
        "def pointed():\n"
        "    os.symlink('.env', 'pointer'); return open('pointer').read()\n"
        "if sys.argv[1:]:\n"
        "    for act in (lambda: open('.env').read(), lambda: open('service/conf/.env').read(),\n"
        "                linked, pointed, moved): attempt(act)\n"
    )
    target = work.parent / "learned.yaml"
    learned = keepwall(["--learn", str(target), "--", sys.executable, "app.py"], work)
    assert learned.returncode == 0, learned.stderr
    assert f"left out: reading {deep}/.env" in learned.stderr
    assert keepwall(["--envelope", str(target), "--", sys.executable, "app.py"], work).stdout == (
        "worked\n"
    )
    attacked = keepwall(["--envelope", str(target), "--", sys.executable, "app.py", "attack"], work)
    assert "canary" not in attacked.stdout, attacked.stdout
    assert attacked.stdout.count("refused") == 5, attacked.stdout

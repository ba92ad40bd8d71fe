import gzip
import io
import os
import pickle
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from keepwall.discover.limits import Limits
from keepwall.discover.reading import UnreadableError, opened
from keepwall.discover.tree import How, discover_tree


def unread(root, limits=None):
    found = discover_tree(root, How(limits or Limits()))
    return {each.path: each.reason for each in found.unread}


def test_links_are_named_and_not_followed(tmp_path):
    root = tmp_path / "tree"
    (root / "inner").mkdir(parents=True)
    (root / "real.py").write_text("import torch")
    (tmp_path / "outside.py").write_text("import vllm")
    (root / "loop").symlink_to(root)
    (root / "inner" / "up").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "nowhere").symlink_to("missing")
    (root / "out.py").symlink_to("../outside.py")
    (root / "etc").symlink_to("/etc")
    (root / "same.py").symlink_to("real.py")
    (root / ".git").symlink_to("/etc")
    found = discover_tree(root)
    assert {each.path: each.reason for each in found.unread} == {
        "loop": "symbolic link to a directory, not followed",
        "inner/up": "symbolic link to a directory, not followed",
        "etc": "symbolic link to a directory, not followed",
        ".git": "symbolic link to a directory, not followed",
        "self": "symbolic link loop",
        "nowhere": "symbolic link to nothing",
        "out.py": "symbolic link that leaves the tree, not followed",
    }
    assert not any(each.name == "vllm" for each in found.assets)


@pytest.mark.real
def test_special_files_are_named_and_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    os.mkfifo(tmp_path / "model.pkl")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.sock"))
        started = time.monotonic()
        found = unread(tmp_path)
    assert found == {
        "pipe.py": "named pipe, not read",
        "model.pkl": "named pipe, not read",
        "s.sock": "socket, not read",
    }
    assert time.monotonic() - started < 5


def test_a_file_that_becomes_something_else_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, reason in (
        ("pipe", "not a regular"),
        ("link", "symbolic link"),
        ("gone", "vanished"),
    ):
        with pytest.raises(UnreadableError, match=reason), opened(str(tmp_path / name)):
            pass


def test_files_that_vanish_while_they_are_read_are_named(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.py").write_text("import torch")

    def remove(_count, path):
        (tmp_path / path).unlink()

    found = discover_tree(tmp_path, How(progress=remove))
    assert {each.reason for each in found.unread} == {"vanished while it was read"}
    assert len(found.unread) == 5


@pytest.fixture
def open_folder():
    """A folder that an unprivileged user may enter; as root the test becomes one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_what_may_not_be_read_is_named(open_folder):
    (open_folder / "a.py").write_text("import torch")
    (open_folder / "a.py").chmod(0)
    (open_folder / "closed").mkdir(mode=0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        found = unread(open_folder)
    finally:
        os.seteuid(user)
    assert found == {"a.py": "permission denied", "closed": "permission denied"}


def bomb() -> bytes:
    lines = [b"a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [b"%c: &%c [%s]" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 110)]
    return b"\n".join([b"apiVersion: v1", b"kind: Pod", *lines])


def zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("m/data.pkl", b"\x80\x04" + b"N0" * 100_000_000)
    return buffer.getvalue()


HOSTILE = {
    "bomb.yaml": (bomb(), "values"),
    "deep.yml": (b"apiVersion: v1\nkind: x\na: " + b"[" * 100_000, "nested deeper"),
    "deep/.mcp.json": (b'{"mcpServers":' + b"[" * 100_000, "nested deeper"),
    "deep.ipynb": (b"[" * 100_000, "nested deeper"),
    "package.json": (b'{"a":' * 100_000, "nested deeper"),
    "deep.py": (b"(" * 100_000, "not Python 3"),
    "signs.py": (b"-" * 100_000 + b"1", "nested too deeply"),
    "old.py": (b"print 'x'", "not Python 3"),
    "odd.py": (b"x = '\xff\xfe'", "not utf-8"),
    "pyproject.toml": (b"a = " + b"[" * 100_000, "nested"),
    "big.py": (b"#" * (2 << 20), "bytes of source"),
    "zip.pt": (zip_bomb(), "to its end"),
    "gzip.pkl": (gzip.compress(b"\x80\x04" + b"N0" * 50_000_000), "to its end"),
    "cut.gguf": (b"GGUF\x03\0\0\0", "ends early"),
    "lie.safetensors": (b"\xff" * 8 + b"{}", "not safetensors"),
    "chart/templates/pod.yaml": (
        b"apiVersion: v1\nkind: Pod\n{{- if .Values.x }}\nspec: {{ .Values.y }\n",
        "template",
    ),
}


def test_every_hostile_file_is_named_and_the_rest_is_read(tmp_path):
    for name, (data, _) in HOSTILE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.py").write_text("import torch")
    found = discover_tree(tmp_path)
    reasons = {each.path: each.reason for each in found.unread}
    assert set(reasons) == set(HOSTILE)
    for name, (_, reason) in HOSTILE.items():
        assert reason in reasons[name], name
    assert any(each.name == "torch" for each in found.assets)


def test_huge_sparse_files_cost_nothing(tmp_path):
    for name, head in {
        "m.gguf": b"GGUF\x03\0\0\0" + b"\0" * 16,
        "blob": b"",
        "huge.py": b"",
        "w.pkl": pickle.dumps([1]),
    }.items():
        with (tmp_path / name).open("wb") as file:
            file.write(head)
            file.truncate(3 << 30)
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = discover_tree(tmp_path)
    assert {each.path for each in found.unread} == {"blob", "huge.py"}
    models = [each for each in found.assets if each.kind == "model-file"]
    assert [each.key.partition(":")[0] for each in models] == ["partial", "partial"]
    assert time.process_time() - started < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_odd_names_are_kept_as_they_are(tmp_path):
    names = ["line\nbreak.py", "\x1b[31mred.py", "\u202ertl.py", "-rf.py", "# hash.py"]
    for name in names:
        (tmp_path / name).write_text("import torch")
    with open(os.fsencode(tmp_path) + b"/\xff.py", "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(b"import torch")
    found = discover_tree(tmp_path)
    (torch,) = [each for each in found.assets if each.name == "torch"]
    assert {place.path for place in torch.locations} == {*names, "\\xff.py"}
    assert found.unread == ()


def test_deep_folders_are_bounded_and_named(tmp_path):
    path = tmp_path
    for _ in range(70):
        path = path / "d"
        path.mkdir()
    ((place, reason),) = unread(tmp_path).items()
    assert place == "/".join(["d"] * 60)
    assert reason == "nested deeper than 60 directories"


def test_limits_of_files_bytes_and_time_are_named(tmp_path):
    for number in range(20):
        (tmp_path / f"{number:02}.py").write_text("import torch\n" * 10)
    assert unread(tmp_path, Limits(files=5)) == {".": "the walk stopped here after 5 files"}
    assert unread(tmp_path, Limits(seconds=0)) == {".": "the walk stopped here after 0 s"}
    over = unread(tmp_path, Limits(total_bytes=1_000))
    assert len(over) == 13
    assert len(unread(tmp_path, Limits(bytes_per_file=10))) == 20


def test_nothing_of_the_tree_is_run_or_imported(tmp_path):
    marker = tmp_path / "owned"
    code = f"open({str(marker)!r}, 'w')\n"
    for name in (
        "conftest.py",
        "setup.py",
        "sitecustomize.py",
        "torch.py",
        "yaml.py",
        "jupyter_config.py",
    ):
        (tmp_path / name).write_text(code)

    class Runs:
        def __reduce__(self):
            return exec, (code,)

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Runs()))
    (tmp_path / "x.yaml").write_text(
        f"kind: a\napiVersion: !!python/object/apply:exec ['{code!r}']"
    )
    program = (
        "from pathlib import Path\n"
        "from keepwall.discover.tree import How, discover_tree\n"
        "discover_tree(Path('.'))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not marker.exists()


def test_a_tree_that_changes_all_the_time_is_read_to_its_end(tmp_path):
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for number in range(20):
                path = tmp_path / f"{number}.py"
                path.unlink(missing_ok=True)
                if number % 2:
                    path.symlink_to("/etc/passwd")
                else:
                    path.write_text("import torch")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(60):
            found = discover_tree(tmp_path)
            assert not any("root:" in repr(fact) for fact in found.facts)
    finally:
        stop.set()
        thread.join()

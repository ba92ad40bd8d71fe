import os

from keepwall.discover.neighbours import Neighbours


def test_files_of_the_tree_and_nothing_else(tmp_path):
    root = tmp_path / "tree"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/x.txt").write_text("x" * 100)
    (tmp_path / "secret.txt").write_text("s")
    (root / "out").symlink_to(tmp_path)
    (root / "a/link.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(root / "a/pipe")
    near = Neighbours(root)
    assert near.read("a/b/x.txt") == b"x" * 100
    assert near.read("a/b/x.txt", limit=99) is None
    assert near.files("a/b") == ("x.txt",)
    assert near.folders("") == ("a",)
    assert near.folders("a") == ("b",)
    for path in (
        "../secret.txt",
        "out/secret.txt",
        "a/link.txt",
        "a/pipe",
        "a",
        "gone",
        "a/\0",
        "",
    ):
        assert near.read(path) is None
    assert near.files("out") == near.files("..") == near.files("gone") == near.files("\0") == ()
    assert near.files("a") == ()


def test_questions_are_counted_and_without_a_root_there_is_nothing():
    near = Neighbours()
    assert near.read("x") is None
    assert near.files("") == ()
    assert near.asked == 2

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "architecture.py"


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["architecture"] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def test_the_committed_picture_is_the_one_of_the_code(architecture: ModuleType) -> None:
    committed = architecture.PICTURE.read_text("utf-8")
    assert committed == architecture.picture(), "the code has changed: make docs draws it again"


def test_every_package_of_the_code_is_in_the_picture(architecture: ModuleType) -> None:
    names = set(re.findall(r">([a-z]+)</text>", architecture.picture()))
    packages = {
        each.parent.name for each in (SCRIPT.parents[1] / "src/keepwall").glob("*/__init__.py")
    }
    assert packages <= names


def test_only_arrows_that_no_longer_path_implies_are_drawn(architecture: ModuleType) -> None:
    edges = frozenset({("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("a", "d"), ("b", "e")})
    assert architecture.reduced(edges) == {("a", "b"), ("b", "c"), ("c", "d"), ("b", "e")}

"""Which lock file is of which manager, and which manifests it makes exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from keepwall.formats.lockfile import Locked
from keepwall.formats.lockfile_javascript import (
    read_bun_lock,
    read_npm_lock,
    read_pnpm_lock,
    read_yarn_lock,
)
from keepwall.formats.lockfile_other import (
    read_cargo_lock,
    read_composer_lock,
    read_gemfile_lock,
    read_go_sum,
    read_gradle_lock,
    read_nuget_lock,
)
from keepwall.formats.lockfile_python import read_conda_lock, read_pipfile_lock, read_toml_lock

LOCK_FILES: Mapping[str, Callable[[bytes], Iterator[Locked]]] = {
    "poetry.lock": read_toml_lock,
    "uv.lock": read_toml_lock,
    "pdm.lock": read_toml_lock,
    "pylock.toml": read_toml_lock,
    "pipfile.lock": read_pipfile_lock,
    "pixi.lock": read_conda_lock,
    "conda-lock.yml": read_conda_lock,
    "package-lock.json": read_npm_lock,
    "npm-shrinkwrap.json": read_npm_lock,
    "yarn.lock": read_yarn_lock,
    "pnpm-lock.yaml": read_pnpm_lock,
    "bun.lock": read_bun_lock,
    "cargo.lock": read_cargo_lock,
    "go.sum": read_go_sum,
    "gemfile.lock": read_gemfile_lock,
    "composer.lock": read_composer_lock,
    "gradle.lockfile": read_gradle_lock,
    "packages.lock.json": read_nuget_lock,
}
"""The readers by the name of the file, in lower case; each may raise `FormatError`."""

COVERED_BY: Mapping[str, Sequence[str]] = {
    "pyproject.toml": ("poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "pixi.lock"),
    "pipfile": ("pipfile.lock",),
    "environment.yml": ("conda-lock.yml",),
    "environment.yaml": ("conda-lock.yml",),
    "package.json": (
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
    ),
    "cargo.toml": ("cargo.lock",),
    "go.mod": ("go.sum",),
}
"""The lock files that make what a manifest declares exact, by the manifest's name."""


def lock_reader(name: str) -> Callable[[bytes], Iterator[Locked]] | None:
    """Return the reader of a lock file called `name` (in lower case), or None for other files."""
    if name.startswith("pylock.") and name.endswith(".toml"):
        return read_toml_lock
    return LOCK_FILES.get(name)

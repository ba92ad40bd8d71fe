"""CPU seconds for each MB of text in which secrets are looked for, with peers in the same run.

Ours runs with Hyperscan and with the portable engine, and must find the same with both. The raw
baseline reads and decodes the files. detect-secrets, where its program is given, runs with its
defaults on every file; its start is not counted.

Usage: python benchmarks/secrets_throughput.py FOLDER [--peer DETECT_SECRETS] [--megabytes N]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from keepwall.content.detectors import catalogue
from keepwall.content.prefilter import HyperscanPrefilter, Prefilter, Re2Prefilter
from keepwall.content.secrets import SecretMatch, find_secrets_in_bytes

SUFFIXES = (".py", ".js", ".ts", ".md", ".rst", ".json", ".yaml", ".yml", ".toml", ".txt", ".sh")
BUDGET_MEGABYTES = 20
LARGEST = 2 << 20


def texts(folder: Path, megabytes: float) -> list[tuple[Path, bytes]]:
    """Return files of text, up to a total size, from all over the folder."""
    names = sorted(each for each in folder.rglob("*") if each.suffix in SUFFIXES)
    sized = [each for each in names if each.is_file() and each.stat().st_size < LARGEST]
    step = max(int(sum(each.stat().st_size for each in sized) / (megabytes * 1e6)), 1)
    return [(each, each.read_bytes()) for each in sized[::step]]


def cpu(work: Callable[[], None], rounds: int = 3) -> float:
    """Return the CPU seconds of the fastest of some rounds."""
    seconds: list[float] = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def cpu_of_child(command: Sequence[str], folder: Path) -> float:
    """Return the CPU seconds of a program and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peer(program: str, files: list[tuple[Path, bytes]]) -> float:
    """Return the CPU seconds of detect-secrets on copies of the files, without its start."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (path, data) in enumerate(files):
            (folder / f"{number}{path.suffix}").write_bytes(data)
        (folder / "empty").mkdir()
        command = [program, "-c", "1", "scan", "--all-files", "--no-verify"]
        start = cpu_of_child([*command, "empty"], folder)
        return cpu_of_child([*command, "."], folder) - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer", help="the program detect-secrets")
    parser.add_argument("--megabytes", type=float, default=20)
    options = parser.parse_args()
    files = texts(options.folder, options.megabytes)
    size = sum(len(data) for _, data in files) / 1e6
    print(f"{len(files)} files, {size:.1f} MB")

    started = time.process_time()
    keywords = catalogue().keywords
    print(f"catalogue: {(time.process_time() - started) * 1e3:.1f} ms")
    engines: dict[str, Prefilter] = {}
    for name, make in (("hyperscan", HyperscanPrefilter.of), ("re2", Re2Prefilter.of)):
        started = time.process_time()
        engine = make(keywords)
        print(f"engine {name}: {(time.process_time() - started) * 1e3:.1f} ms to make")
        if engine is not None:
            engines[name] = engine

    found: dict[str, list[list[SecretMatch]]] = {}
    figures = {"read and decode": cpu(lambda: _decode(files))}
    for name, engine in engines.items():

        def work(name: str = name, engine: Prefilter = engine) -> None:
            found[name] = [find_secrets_in_bytes(data, engine) for _, data in files]

        figures[f"keepwall, {name}"] = cpu(work)
    if len(found) > 1 and found["hyperscan"] != found["re2"]:
        raise SystemExit("the engines do not agree")
    print(f"{sum(map(len, next(iter(found.values()))))} findings, the same with every engine")
    if options.peer:
        figures["detect-secrets"] = peer(options.peer, files)
    first = next(name for name in figures if name.startswith("keepwall"))
    for name, seconds in figures.items():
        ratio = seconds / figures[first]
        print(
            f"{name:22} {seconds / size:.4f} CPU s/MB {size / seconds:8.1f} MB/s {ratio:8.2f} times"
        )
    if size / figures[first] < BUDGET_MEGABYTES:
        raise SystemExit(f"below {BUDGET_MEGABYTES} MB/s")


def _decode(files: list[tuple[Path, bytes]]) -> None:
    for path, _ in files:
        path.read_bytes().decode("utf-8", "replace")


if __name__ == "__main__":
    main()

"""Recall and precision of the detectors of secrets on CredData, as far as its files are at hand.

CredData (https://github.com/Samsung/CredData) labels lines of public repositories. Give the folder
that holds its ``meta`` beside the ``data`` that it names, of all of its repositories or of some. A
finding counts as right where its line is labelled T, and as wrong everywhere else, also on a line
that nobody labelled. Not that every T is a live credential: by its ground rules those of tests,
weak passwords and salts are T as well.

Usage: python benchmarks/secrets_accuracy.py FOLDER [REPOSITORY…] [--peer DETECT_SECRETS]
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

from keepwall.content.secrets import find_secrets_in_bytes

Places = dict[str, set[int]]


def ours(folder: Path, files: list[str]) -> tuple[Places, dict[tuple[str, int], str]]:
    """Return the lines of each file that we report, and by which detector."""
    found: Places = defaultdict(set)
    kinds: dict[tuple[str, int], str] = {}
    for file in files:
        for match in find_secrets_in_bytes((folder / file).read_bytes()):
            found[file].add(match.line)
            kinds[file, match.line] = match.detector
    return found, kinds


def peer(program: str, folder: Path, files: list[str]) -> Places:
    """Return the lines that detect-secrets reports with its defaults."""
    command = [program, "scan", "--all-files", "--no-verify", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    results = json.loads(done.stdout)["results"]
    return {file: {each["line_number"] for each in found} for file, found in results.items()}


def labels(folder: Path, repositories: list[str]) -> tuple[Places, dict[tuple[str, int], str]]:
    """Return every line of each file at hand that is labelled T, and the category of each."""
    true: Places = {}
    kinds: dict[tuple[str, int], str] = {}
    for table in sorted(folder.glob("meta/*.csv")):
        if repositories and table.stem not in repositories:
            continue
        for row in csv.DictReader(table.open(encoding="utf-8")):
            if not (folder / row["FilePath"]).is_file():
                continue
            lines = true.setdefault(row["FilePath"], set())
            if row["GroundTruth"] == "T":
                start, end = int(row["LineStart"]), int(row["LineEnd"])
                lines.add(start)
                for line in range(start, end + 1):
                    kinds[row["FilePath"], line] = row["Category"].split(":")[0]
    return true, kinds


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("repositories", nargs="*")
    parser.add_argument("--peer", help="the program detect-secrets")
    parser.add_argument("--show", action="store_true", help="name the places that are wrong")
    options = parser.parse_args()
    true, kinds = labels(options.folder, options.repositories)
    files = sorted(true)
    found, detectors = ours(options.folder, files)
    print(f"{len(files)} files, {sum(map(len, true.values()))} lines labelled T")
    report("keepwall", true, kinds, found)
    if options.peer:
        report("detect-secrets", true, kinds, peer(options.peer, options.folder, files))
    by_kind = Counter(kinds[file, line] for file in files for line in true[file])
    hit = Counter(kinds[file, line] for file in files for line in true[file] & found[file])
    for kind, count in by_kind.most_common():
        print(f"  {kind:40} {hit[kind]:5} of {count}")
    wrong = [
        (file, line) for file in files for line in sorted(found[file]) if (file, line) not in kinds
    ]
    print("wrong, by detector:", dict(Counter(detectors[each] for each in wrong)))
    for file, line in wrong if options.show else ():
        print(f"{file}:{line} {detectors[file, line]}")


def report(name: str, true: Places, kinds: dict[tuple[str, int], str], found: Places) -> None:
    """Print recall and precision of one tool, by lines."""
    total = sum(map(len, true.values()))
    hit = sum(len(lines & found.get(file, set())) for file, lines in true.items())
    reported = sum(len(found.get(file, ())) for file in true)
    right = sum((file, line) in kinds for file in true for line in found.get(file, ()))
    print(
        f"{name:15} recall {hit / total:.3f}  precision {right / max(reported, 1):.3f}"
        f"  ({reported} lines reported, {right} of them T)"
    )


if __name__ == "__main__":
    main()

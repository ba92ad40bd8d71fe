"""Recall and precision of the inventory on code bases that were labelled by hand, without the tool.

The labels lie in benchmarks/labels (kind, key, first place); what they are about is in
benchmarks/labels/README.md, with the commit of each. The code itself is not here: SOURCES is a
folder with one folder for each. A label or any of its `alt` must be found under its very key;
"by place" asks of things with names of their own (prompts, tools, agents …) only for kind and file.
Labels that are unsure, or of tests and documents, count neither way, and so does what Keepwall
itself says is of those.

With --peer PROGRAM, ai-bom of PyPI looks at the same trees; of it a label counts as mentioned where
any component bears its name (without the place), which is kinder than what is asked of Keepwall.

Usage: python benchmarks/inventory_accuracy.py SOURCES [--show] [--peer PROGRAM] [NAME…]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LABELS = Path(__file__).parent / "labels"
RECALL, PRECISION = 0.90, 0.95
OURS_ALONE = {"project", "host", "process", "build"}
"""Kinds that nobody labels."""
NAMED = {"prompt", "agent", "tool", "pipeline", "training-job", "accelerator", "secret"}
EITHER = {"workload": "kubernetes-object"}
"""A workload of a cluster may be told as either."""
ASIDE = {"test", "tests", "docs", "documentation"}


@dataclass(slots=True)
class Score:
    """What was found, missed and made up; `places` counts what only the place tells."""

    right: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    placed_right: int = 0
    placed_wrong: int = 0

    def line(self, name: str) -> str:
        """Return the figures of one row."""
        right, missed, wrong = len(self.right), len(self.missed), len(self.wrong)
        recall = right / max(right + missed, 1)
        precision = right / max(right + wrong, 1)
        by_place = (right + self.placed_right) / max(right + missed, 1)
        placed = (right + self.placed_right) / max(right + self.placed_right + self.placed_wrong, 1)
        figures = f"{right:>6} {missed:>6} {wrong:>6}   {recall:>6.2f} {precision:>9.2f}"
        return f"{name:<26} {figures}   {by_place:>8.2f} {placed:>9.2f}"


def main() -> int:
    """Print the table; 1 where a target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sources", type=Path)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--peer")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    labelled = sorted(each.stem for each in LABELS.glob("*.jsonl") if "." not in each.stem)
    total, kinds = Score(), dict[str, Score]()
    mentioned = components = 0
    head = f"{'':<26} {'right':>6} {'missed':>6} {'wrong':>6}   {'recall':>6} {'precision':>9}"
    print(f"{head}   {'by place':>8} {'precision':>9}")
    for name in options.names or labelled:
        tree = options.sources / name
        if not tree.is_dir():
            print(f"{name:<26} not there")
            continue
        score = judge(read_labels(name), found(tree), kinds)
        if options.peer:
            hits, listed = mentions(options.peer, tree, read_labels(name))
            mentioned, components = mentioned + hits, components + listed
        print(score.line(name))
        for part in ("right", "missed", "wrong"):
            getattr(total, part).extend(getattr(score, part))
        total.placed_right += score.placed_right
        total.placed_wrong += score.placed_wrong
        if options.show:
            for word, entries in (("missed", score.missed), ("wrong", score.wrong)):
                for entry in sorted(entries):
                    print(f"    {word}: {entry}")
    print(total.line("all"))
    for kind, score in sorted(kinds.items()):
        print(score.line(f"  {kind}"))
    right = len(total.right)
    if options.peer:
        print(
            f"peer: mentions {mentioned} of {right + len(total.missed)} in {components} components"
        )
    met = right >= RECALL * (right + len(total.missed))
    met &= right >= PRECISION * (right + len(total.wrong))
    print(f"target: recall {RECALL} at precision {PRECISION}")
    return 0 if met else 1


def read_labels(name: str) -> list[dict[str, Any]]:
    """Return the labels of one code base."""
    text = (LABELS / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def found(tree: Path) -> list[dict[str, Any]]:
    """Return the assets that a scan shows."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "result.json"
        command = [sys.executable, "-m", "keepwall", "scan", str(tree), "--no-store", "--fresh"]
        subprocess.run(
            [*command, "-f", "json", "-o", str(output)], check=False, stderr=subprocess.DEVNULL
        )
        result: dict[str, Any] = json.loads(output.read_bytes())
    return list(result["assets"])


def mentions(program: str, tree: Path, labels: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many labels a peer mentions by name, and how many components it lists."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "bom.json"
        command = [program, "scan", str(tree), "-f", "json", "-q", "-o", str(output)]
        subprocess.run(command, check=False, capture_output=True)
        listed = json.loads(output.read_bytes())["components"] if output.is_file() else []
    known = {plain(each["name"]) for each in listed}
    known |= {plain(each.get("version", "")) for each in listed} - {""}
    hits = 0
    for label in labels:
        if label.get("unsure") or label.get("context") in ASIDE:
            continue
        keys = (label["key"], *label.get("alt", ()))
        hits += any(plain(re.split(r"[/#]", key)[-1]) in known for key in keys)
    return hits, len(listed)


def plain(name: str) -> str:
    """Return a name without case, spaces and marks."""
    return re.sub(r"[^a-z0-9]", "", name.lower().partition("@")[0])


def names(kind: str, key: str) -> set[str]:
    """Return what a key is compared by."""
    key = key.lower()
    found = {key}
    if kind in ("kubernetes-object", "workload"):
        found |= {"/".join(key.split("/")[-2:]), key.split("/")[-1]}
    if kind in ("provider", "hosted-model"):
        found.add(re.sub(r"^(?:aws-|azure-|google-)(?=bedrock|openai|vertex)", "", key))
    if kind == "accelerator":  # by whom it is asked for, with or without the kind of the object
        path, _, name = key.partition("#")
        found.add(f"{path}#{name.rpartition('/')[2]}")
    if kind == "cloud-resource":
        found |= {key.rpartition("#")[2], key.rpartition("#")[2].rpartition(".")[2]}
    return {f"{EITHER.get(kind, kind)}:{each}" for each in found}


def judge(
    labels: list[dict[str, Any]], assets: list[dict[str, Any]], kinds: dict[str, Score]
) -> Score:
    """Compare one code base, and add to the figures by kind."""
    score, used = Score(), set[str]()
    seen: dict[str, list[dict[str, Any]]] = {}
    for asset in assets:
        for name in names(asset["kind"], asset["key"]):
            seen.setdefault(name, []).append(asset)
    for label in labels:
        kind = label["kind"]
        at = [asset for asset in assets if asset["kind"] == kind and _is_at(asset, label["path"])]
        keys = (label["key"], *label.get("alt", ()))
        wanted = {name for key in keys for name in names(kind, key)}
        hits = at if kind == "secret" else [each for name in wanted for each in seen.get(name, ())]
        used.update(asset["id"] for asset in hits)
        if label.get("unsure") or label.get("context") in ASIDE:
            line = label.get("line", 0)
            used.update(
                asset["id"] for asset in at if kind in NAMED or _is_at(asset, label["path"], line)
            )
            continue
        where = f"({label['path']}:{label.get('line', 0)})"
        for each in (score, kinds.setdefault(kind, Score())):
            (each.right if hits else each.missed).append(f"{kind}:{label['key']}  {where}")
            each.placed_right += not hits and kind in NAMED and bool(at)
    _made_up(score, kinds, [each for each in assets if each["id"] not in used], labels)
    return score


def _made_up(
    score: Score,
    kinds: dict[str, Score],
    assets: list[dict[str, Any]],
    labels: list[dict[str, Any]],
) -> None:
    """Count what no label means."""
    labelled = {(label["kind"], label["path"]) for label in labels}
    for asset in assets:
        kind = asset["kind"]
        if kind in OURS_ALONE or asset["attributes"].get("context", "") in ASIDE:
            continue
        places = [(place["path"], place["line"]) for place in asset["locations"]]
        if kind == "library" and all(_is_lock(place) for place, _ in places):
            continue  # what others need: no auditor lists that
        path, line = places[0] if places else ("", 0)
        elsewhere = not any((kind, place) in labelled for place, _ in places)
        for each in (score, kinds.setdefault(kind, Score())):
            each.wrong.append(f"{asset['id']}  ({path}:{line})")
            each.placed_wrong += kind not in NAMED or elsewhere


def _is_lock(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith((".lock", "-lock.json", "-lock.yaml", "go.sum", "-lock.yml"))


def _is_at(asset: dict[str, Any], path: str, line: int = -1) -> bool:
    return any(
        place["path"] == path and line in (-1, place["line"]) for place in asset["locations"]
    )


if __name__ == "__main__":
    sys.exit(main())

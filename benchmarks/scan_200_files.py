"""How long a cold scan of a generated repository of 200 files takes.

The baseline of the same run reads every Python file of it and parses it with ``ast.parse``, in an
interpreter of its own: what any tool pays that looks at Python syntax at all.

Usage: python benchmarks/scan_200_files.py [RUNS]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

BUDGET = 3.0
FILES = 200
BASELINE = """
import ast, pathlib, sys
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    ast.parse(path.read_bytes())
"""
MODULE = '''"""Module {number} of the benchmark."""

import torch
from openai import OpenAI
from transformers import AutoModel

client = OpenAI()


class Step{number}:
    """One step of the pipeline."""

    def __init__(self, name: str, factor: float = {number}.5) -> None:
        self.name = name
        self.factor = factor

'''
METHOD = '''
    def compute_{method}(self, rows: list[dict]) -> dict:
        """Work on some rows."""
        total = sum(float(row.get("value_{method}", 0)) * self.factor for row in rows)
        kept = [row for row in rows if row.get("kind") != "skip" and total > {method}]
        return {{"name": self.name, "total": total, "kept": len(kept), "first": kept[:1]}}
'''
TAIL = """

def load_{number}(path: str):
    weights = torch.load(path)
    model = AutoModel.from_pretrained("acme/model-{number}")
    reply = client.chat.completions.create(model="gpt-4o", messages=[])
    return weights, model, reply
"""


def generate(root: Path) -> int:
    """Write the repository and return how many bytes it has."""
    for number in range(FILES - 20):
        folder = root / f"part_{number % 12:02}"
        folder.mkdir(exist_ok=True)
        methods = "".join(METHOD.format(method=each) for each in range(20))
        text = MODULE.format(number=number) + methods + TAIL.format(number=number)
        (folder / f"step_{number:03}.py").write_text(text)
    for number in range(10):
        code = ["import torch\n", f"m = torch.load('m{number}.pt')\n"] * 10
        cell = {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": code}
        output = {"output_type": "stream", "name": "stdout", "text": ["line of output\n"] * 50}
        notebook = {"cells": [{**cell, "outputs": [output]}] * 10, "metadata": {}}
        text = json.dumps({**notebook, "nbformat": 4, "nbformat_minor": 5})
        (root / f"notebook_{number}.ipynb").write_text(text)
    pins = "".join(f"package-{each}==1.{each}\n" for each in range(50))
    for number in range(5):
        (root / f"requirements-{number}.txt").write_text(f"torch\ntransformers==4.1\n{pins}")
        (root / f"Dockerfile.{number}").write_text('FROM python:latest\nCOPY . .\nCMD ["python"]\n')
    return sum(each.stat().st_size for each in root.rglob("*") if each.is_file())


def once(arguments: list[str], allowed: tuple[int, ...]) -> tuple[float, float]:
    """Return wall and CPU seconds of one run in a new interpreter."""
    begun = time.perf_counter()
    silent = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 1), (os.POSIX_SPAWN_CLOSE, silent)]
    child = os.posix_spawn(
        sys.executable, [sys.executable, *arguments], os.environ, file_actions=actions
    )
    _, status, usage = os.wait4(child, 0)
    os.close(silent)
    if os.waitstatus_to_exitcode(status) not in allowed:
        raise SystemExit(f"{arguments} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def main() -> int:
    """Print the medians; return 1 if the scan is over its budget."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        size = generate(Path(folder))
        scans, parses = [], []
        for _ in range(runs):
            parses.append(once(["-c", BASELINE, folder], (0,)))
            scan = ["-m", "keepwall", "scan", folder, "--format", "json", "--no-store"]
            scans.append(once(scan, (0, 1)))
    wall = statistics.median(each[0] for each in scans)
    cpu = statistics.median(each[1] for each in scans)
    base_wall = statistics.median(each[0] for each in parses)
    base_cpu = statistics.median(each[1] for each in parses)
    print(f"{FILES} files, {size / 1e6:.1f} MB")
    print(f"ast.parse      CPU {base_cpu:5.2f} s   wall {base_wall:5.2f} s")
    print(f"keepwall scan  CPU {cpu:5.2f} s   wall {wall:5.2f} s   {cpu / base_cpu:.1f}x CPU")
    print(f"budget {BUDGET:.0f} s: {'kept' if wall <= BUDGET else 'MISSED'}")
    return int(wall > BUDGET)


if __name__ == "__main__":
    sys.exit(main())

"""What the fence costs a real training loop, against the same loop without it.

A small network (or, without a library, a logistic regression in plain Python) is trained with
stochastic gradient descent. Each step reads its batch from a file of its own, and each epoch ends
with a checkpoint that replaces the one before: the opens and renames are what a fence could slow.
The library is the first of scikit-learn, NumPy and PyTorch that can be imported, on one thread.
A run lasts about 10 s; raw, raw again, fenced and learning take turns, and "raw again" shows the
noise of the machine. "loop" is a run less one of a single epoch beside it, so without the start and
the imports; "run" is all of it. The target is for the loop: the start has a benchmark of its own.
What is added per batch is printed for those whose steps are longer or shorter.

Usage: python benchmarks/run_training_loop.py [PAIRS]
"""

from __future__ import annotations

import importlib.util
import io
import math
import os
import random
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pairs import (
    Cost,
    added,
    keepwall,
    median,
    nothing_refused,
    once,
    ratio,
    surroundings,
    verdict,
    write_envelope,
)

TARGET = 1.03
SECONDS = 10.0
BATCHES, ROWS, FEATURES, HIDDEN = 200, 512, 256, 1024
INFORMATION = ("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/**")
"""What the libraries read of the machine."""

Step = Callable[[bytes], None]
Checkpoint = Callable[[], bytes]


def scikit_learn() -> tuple[Step, Checkpoint]:
    """Return a step of scikit-learn's own network, and its weights."""
    import numpy as np  # noqa: PLC0415 - the one that is there
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415 - same

    network = MLPClassifier((HIDDEN,), solver="sgd", learning_rate_init=0.01, random_state=0)

    def step(data: bytes) -> None:
        rows = np.frombuffer(data, dtype=np.float32).reshape(ROWS, FEATURES + 1)
        network.partial_fit(rows[:, :FEATURES], rows[:, FEATURES] > 0, classes=[False, True])

    return step, lambda: b"".join(each.tobytes() for each in network.coefs_)


def numpy() -> tuple[Step, Checkpoint]:
    """Return a step of a two-layer network written out in NumPy, and its weights."""
    import numpy as np  # noqa: PLC0415 - the one that is there

    chance = np.random.default_rng(0)
    first = chance.normal(0, 0.05, (FEATURES, HIDDEN)).astype(np.float32)
    second = chance.normal(0, 0.05, (HIDDEN, 1)).astype(np.float32)

    def step(data: bytes) -> None:
        rows = np.frombuffer(data, dtype=np.float32).reshape(ROWS, FEATURES + 1)
        inputs, wanted = rows[:, :FEATURES], rows[:, FEATURES:] > 0
        hidden = np.maximum(inputs @ first, 0)
        error = (1 / (1 + np.exp(-(hidden @ second))) - wanted) / ROWS
        back = (error @ second.T) * (hidden > 0)
        np.subtract(second, 0.01 * (hidden.T @ error), out=second)
        np.subtract(first, 0.01 * (inputs.T @ back), out=first)

    return step, lambda: first.tobytes() + second.tobytes()


def torch() -> tuple[Step, Checkpoint]:
    """Return a step of a two-layer network in PyTorch, and its weights as `torch.save` has them."""
    import torch as library  # noqa: PLC0415 - the one that is there
    from torch import nn  # noqa: PLC0415 - same

    library.manual_seed(0)
    network = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
    optimizer = library.optim.SGD(network.parameters(), lr=0.01)
    loss_of = nn.BCEWithLogitsLoss()

    def step(data: bytes) -> None:
        rows = library.frombuffer(bytearray(data), dtype=library.float32)
        rows = rows.reshape(ROWS, FEATURES + 1)
        optimizer.zero_grad()
        loss = loss_of(network(rows[:, :FEATURES]), (rows[:, FEATURES:] > 0).float())
        loss.backward()
        optimizer.step()

    def checkpoint() -> bytes:
        file = io.BytesIO()
        library.save(network.state_dict(), file)
        return file.getvalue()

    return step, checkpoint


def plain() -> tuple[Step, Checkpoint]:
    """Return a step of a logistic regression in plain Python, and its weights."""
    weights = array("f", bytes(4 * FEATURES))

    def step(data: bytes) -> None:
        values = array("f", data)
        for start in range(0, len(values), FEATURES + 1):
            inputs = values[start : start + FEATURES]
            score = sum(one * two for one, two in zip(inputs, weights, strict=True))
            wanted = float(values[start + FEATURES] > 0)
            rate = 0.01 * (1 / (1 + math.exp(-max(-30.0, min(30.0, score)))) - wanted)
            for index, value in enumerate(inputs):
                weights[index] -= rate * value

    return step, weights.tobytes


LIBRARIES = {
    "sklearn": ("scikit-learn", scikit_learn),
    "numpy": ("NumPy", numpy),
    "torch": ("PyTorch", torch),
    "": ("plain Python (no library could be imported: not a real training)", plain),
}


def train(folder: Path, module: str, epochs: int) -> None:
    """Train; this is what the child does."""
    step, checkpoint = LIBRARIES[module][1]()
    for _ in range(epochs):
        for number in range(BATCHES):
            step((folder / "data" / f"{number}.batch").read_bytes())
        temporary = folder / "out" / "checkpoint.new"
        temporary.write_bytes(checkpoint())
        temporary.replace(folder / "out" / "checkpoint")


def write_batches(folder: Path) -> None:
    """Write the files that the training reads: rows of features and a label each."""
    chance = random.Random(0)  # noqa: S311 - training data
    (folder / "data").mkdir()
    (folder / "out").mkdir()
    for number in range(BATCHES):
        values = array("f", (chance.gauss(0, 1) for _ in range(ROWS * (FEATURES + 1))))
        (folder / "data" / f"{number}.batch").write_bytes(values.tobytes())


def kinds(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the kinds of runs with what stands before their command."""
    envelope = folder / "envelope.yaml"
    write_envelope(
        envelope,
        readable=[f"{folder}/data/**", f"{folder}/out/**", *INFORMATION],
        writable=[f"{folder}/out/**"],
    )
    yield "raw", []
    yield "raw again", []  # what differs between two runs of the same: the noise of the machine
    yield "fenced", keepwall("--envelope", str(envelope), "--")
    yield "learning", keepwall("--learn", str(folder / "learned.yaml"), "--")


def main() -> None:
    """Print the medians and whether the target was kept."""
    if sys.argv[1:2] == ["train"]:
        train(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        return
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    module = next((name for name in LIBRARIES if name and importlib.util.find_spec(name)), "")
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        write_batches(folder)
        environment = {
            **surroundings(folder / "state"),
            **one_thread,
            "TMPDIR": f"{folder}/out",
            "PYTHONWARNINGS": "ignore",
        }
        child = [sys.executable, os.path.realpath(__file__), "train", str(folder), module]
        once([*child, "1"], environment)  # warms the page cache
        short, longer = once([*child, "1"], environment), once([*child, "3"], environment)
        an_epoch = max(0.01, (longer.cpu - short.cpu) / 2)
        epochs = max(2, math.ceil(SECONDS / an_epoch))
        name = LIBRARIES[module][0]
        print(f"{name}: {epochs} epochs of {BATCHES} batches, {pairs} interleaved rounds")
        loops: dict[str, list[Cost]] = {}
        whole: dict[str, list[Cost]] = {}
        started = time.monotonic()
        for _ in range(pairs):
            for kind, before in kinds(folder):
                one, all_of_it = (
                    train_once(folder, [*before, *child, str(count)], environment)
                    for count in (1, 1 + epochs)
                )
                loop = Cost(all_of_it.cpu - one.cpu, all_of_it.wall - one.wall)
                loops.setdefault(kind, []).append(loop)
                whole.setdefault(kind, []).append(all_of_it)
        nothing_refused(folder / "state")
    for what, costs in (("loop", loops), ("run", whole)):
        for kind, runs in costs.items():
            middle, times = median(runs), ratio(runs, costs["raw"])
            line = (
                f"  {what:4} {kind:9} CPU {middle.cpu:6.2f} s   wall {middle.wall:6.2f} s"
                f"   {times.cpu:6.4f}x CPU   {times.wall:6.4f}x wall"
            )
            if what == "loop" and kind in ("fenced", "learning"):
                more = added(runs, costs["raw"]).cpu / epochs / BATCHES
                line += f"   adds {more * 1e6:4.0f} us a batch"
            if what == "loop" and kind == "fenced":
                line += f"   target {TARGET}x CPU: {verdict(times.cpu, TARGET)}"
            print(line)
    print(f"took {time.monotonic() - started:.0f} s")


def train_once(folder: Path, command: list[str], environment: Mapping[str, str]) -> Cost:
    """Return the cost of one run; what was learned before is taken away."""
    (folder / "learned.yaml").unlink(missing_ok=True)
    return once(command, environment, quiet="--learn" in command)


if __name__ == "__main__":
    main()

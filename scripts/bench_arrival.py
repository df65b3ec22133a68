"""After how many of its faces is a new generator noticed? Detectors on the p-values of simulated streams.

python scripts/bench_arrival.py WORKSPACE ... [--orders 200] [--share 0.3]

Workspaces are those that `owcl simulate` left behind. Of each, the p-values that faces were given when they
came in are put into new orders: known faces first, then a new method among known ones, whose faces are
counted until the alarm. Beside them, a dummy that sounds an alarm at every 100th face. What an alarm is worth
is said by streams of known faces alone, and by p-values that are exactly uniform.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from owcl.engine.workspace import Workspace
from owcl.novelty.drift import ALARM_RATE, arrival, arrival_count, changed_at, surprise
from storage import attributions, classes, experiences, faces

BEFORE = 400
"""Known faces before a new method arrives."""
CALM = 1000
"""Known faces of a stream in which nothing arrives."""
WINDOW = 200
PORTION = 50
"""Faces that are ingested at a time."""
LIMIT = 150
"""Faces of a new method, after which it counts as missed."""

Detect = Callable[[NDArray[np.float64]], NDArray[np.int64]]
"""Positions of alarms in a stream of p-values."""


@dataclass(frozen=True)
class Arrivals:
    """What was said of faces at first sight."""

    known: NDArray[np.float64]
    new: Mapping[str, NDArray[np.float64]]
    """p-values of each method in the experience in which it arrived."""


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspaces", type=Path, nargs="+", help="of simulations")
    parser.add_argument("--orders", type=int, default=200, help="streams of each new method")
    parser.add_argument("--share", type=float, default=0.3, help="of new faces among all after the arrival")
    asked = parser.parse_args()
    print(f"{platform.platform()}, river {version('river')}, {asked.orders} orders a method, seed 0\n")
    seen = [arrivals(root) for root in asked.workspaces]
    print("| detector | false alarms, uniform | false alarms, known | noticed after, median | missed |")
    print("|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    uniform = [rng.uniform(size=CALM) for _ in range(asked.orders)]
    known = [rng.choice(one.known, CALM) for one in seen for _ in range(asked.orders // len(seen))]
    delays: dict[str, dict[str, list[float]]] = {}
    for name, detect in DETECTORS.items():
        found = delays.setdefault(name, {})
        for one in seen:
            for method, p_values in one.new.items():
                waits = [delay(one.known, p_values, asked.share, detect, rng) for _ in range(asked.orders)]
                found.setdefault(method, []).extend(waits)
        every = np.concatenate(list(found.values()))
        missed = np.isinf(every).mean()
        alarms = " | ".join(
            f"{np.mean([len(detect(calm)) > 0 for calm in of]):.1%}" for of in (uniform, known)
        )
        print(f"| {name} | {alarms} | {np.median(every):.0f} | {missed:.1%} |", flush=True)
    print("\n| method | " + " | ".join(DETECTORS) + " |\n" + "|---" * (len(DETECTORS) + 1) + "|")
    for method in sorted(next(iter(delays.values()))):
        print(
            f"| {method} |", " | ".join(f"{np.median(found[method]):.0f}" for found in delays.values()), "|"
        )


def arrivals(root: Path) -> Arrivals:
    """Read the p-values of a simulation's faces as they came in, from its store."""
    known: list[NDArray[np.float64]] = []
    new: dict[str, NDArray[np.float64]] = {}
    with Workspace.open(root) as workspace, workspace.store.reading() as transaction:
        labelled = {entry.name for entry in classes.everything(transaction) if entry.status == "known"}
        latest = experiences.latest(transaction)
        assert latest is not None
        before = set(labelled)
        for index in range(1, latest.index + 1):
            said = attributions.first_sight(transaction, index)
            methods = np.array(
                [Path(face.source).parent.name for face in faces.by_ids(transaction, said.face_ids)]
            )
            known.append(said.p_values[np.isin(methods, list(labelled))])
            here = set(methods.tolist())
            new |= {method: said.p_values[methods == method] for method in here - before}
            before |= here
    return Arrivals(np.concatenate(known), new)


def delay(
    known: NDArray[np.float64],
    new: NDArray[np.float64],
    share: float,
    detect: Detect,
    rng: np.random.Generator,
) -> float:
    """Return how many faces of a new method came until the first alarm after it did; infinite if missed."""
    arrived = rng.random(round(LIMIT / share)) < share
    after = np.where(arrived, rng.choice(new, len(arrived)), rng.choice(known, len(arrived)))
    alarms = detect(np.concatenate([rng.choice(known, BEFORE), after])) - BEFORE
    alarms = alarms[alarms >= 0]
    return float(arrived[: alarms[0] + 1].sum()) if len(alarms) else np.inf


def counted(p_values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where so many of the latest 200 faces are unusual that known ones hardly make as many."""
    sums = np.concatenate([[0], (p_values <= ALARM_RATE).cumsum()])
    in_window = sums[1:] - sums[np.maximum(np.arange(1, len(sums)) - WINDOW, 0)]
    return np.flatnonzero(in_window >= arrival_count(WINDOW, ALARM_RATE))


def changed(p_values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where owcl sees that a stream has changed."""
    change = changed_at(p_values)
    return np.array([] if change is None else [change], np.int64)


def alarmed(p_values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where owcl sounds the alarm, if it is asked after every portion of a few faces."""
    portions = range(PORTION, len(p_values) + 1, PORTION)
    return np.array([faces - 1 for faces in portions if arrival(p_values[:faces])], np.int64)


def watched(make: Callable[[], Any], p_values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where a detector of river has seen the mean surprise rise."""
    detector, surprises = make(), surprise(p_values)
    alarms = []
    for position, value in enumerate(surprises.tolist()):
        detector.update(value)
        lately = surprises[max(0, position - 29) : position + 1].mean()
        if detector.drift_detected and lately > surprises[: position + 1].mean():
            alarms.append(position)
    return np.array(alarms, np.int64)


def adwin() -> Any:
    """Return river's adaptive window, at its defaults."""
    from river.drift import ADWIN

    return ADWIN()


def kswin() -> Any:
    """Return river's test of Kolmogorov and Smirnov between two windows, seeded."""
    from river.drift import KSWIN

    return KSWIN(seed=0)


DETECTORS: Mapping[str, Detect] = {
    "count in 200 faces": counted,
    "Page-Hinkley (a change, to owcl)": changed,
    "the alarm at ingest": alarmed,
    "ADWIN": partial(watched, adwin),
    "KSWIN": partial(watched, kswin),
    "every 100th face (dummy)": lambda p_values: np.arange(99, len(p_values), 100),
}

if __name__ == "__main__":
    main()

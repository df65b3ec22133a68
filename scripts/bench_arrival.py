"""After how many of its faces is a new generator noticed? Detectors on streams of faces of simulations.

python scripts/bench_arrival.py WORKSPACE ... [--orders 36] [--share 0.3]

Workspaces are those that `owcl simulate` left behind. The faces that came in are embedded with the model of
session 0, and streams are drawn of them, no face twice: known ones first, then a new method among known
ones, whose faces are counted until the alarm. Beside the detectors, a dummy that sounds an alarm at every
100th face. What an alarm is worth is said by streams of known faces alone.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from session_zero import session_zero

from owcl.novelty.drift import ALARM_RATE, arrival, arrival_count, changed_at, surprise
from owcl.novelty.shift import ShiftTest
from owcl.types import Embeddings

BEFORE = 150
"""Known faces before a new method arrives."""
CALM = 500
"""Known faces of a stream in which nothing arrives."""
WINDOW = 200
PORTION = 50
"""Faces that are ingested at a time."""
LIMIT = 150
"""Faces of a new method, after which it counts as missed."""


@dataclass(frozen=True)
class Stream:
    """Faces in the order in which they come, as the model of session 0 sees them."""

    vectors: NDArray[np.float32]
    taken_for: NDArray[np.int64]
    p_values: NDArray[np.float64]
    calibration: int
    """Known faces that the p-values rest on."""
    test: ShiftTest
    """Fitted on these."""

    def take(self, rows: NDArray[np.int64]) -> Stream:
        """Return the chosen faces, in that order."""
        return replace(
            self, vectors=self.vectors[rows], taken_for=self.taken_for[rows], p_values=self.p_values[rows]
        )


Detect = Callable[[Stream], NDArray[np.int64]]
"""Positions of alarms."""


@dataclass(frozen=True)
class Simulated:
    """The faces that came in after session 0 of a simulation."""

    faces: Stream
    known: NDArray[np.int64]
    new: Mapping[str, NDArray[np.int64]]
    """Rows of each method that session 0 did not know."""


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("workspaces", type=Path, nargs="+", help="of simulations")
    parser.add_argument("--orders", type=int, default=36, help="streams of each new method")
    parser.add_argument("--share", type=float, default=0.3, help="of new faces among all after the arrival")
    asked = parser.parse_args()
    print(f"{platform.platform()}, river {version('river')}, {asked.orders} orders a method, seed 0\n")
    seen = [simulated(root) for root in asked.workspaces]
    arriving = sum(len(one.new) for one in seen)
    print(f"{len(seen)} models, {arriving} arrivals, {sum(len(one.known) for one in seen):,} known faces\n")
    print(f"| detector | false alarms in {CALM} known faces | noticed after, median | missed |")
    print("|---|---|---|---|")
    delays: dict[str, dict[str, list[float]]] = {}
    for name, detect in DETECTORS.items():
        rng = np.random.default_rng(0)
        found = delays.setdefault(name, {})
        for one in seen:
            for method in one.new:
                waits = [delay(one, method, asked.share, detect, rng) for _ in range(asked.orders)]
                found.setdefault(method, []).extend(waits)
        every = np.concatenate(list(found.values()))
        calm = [
            one.faces.take(rng.permutation(one.known)[:CALM]) for one in seen for _ in range(asked.orders)
        ]
        false = np.mean([len(detect(stream)) > 0 for stream in calm])
        print(f"| {name} | {false:.1%} | {np.median(every):.0f} | {np.isinf(every).mean():.1%} |", flush=True)
    print("\n| method | " + " | ".join(DETECTORS) + " |\n" + "|---" * (len(DETECTORS) + 1) + "|")
    for method in sorted(next(iter(delays.values()))):
        print(
            f"| {method} |", " | ".join(f"{np.median(found[method]):.0f}" for found in delays.values()), "|"
        )


def simulated(root: Path) -> Simulated:
    """Embed the faces of a simulation and judge those that came in."""
    seen = session_zero(root)
    vectors, methods = seen.vectors[~seen.labelled], seen.methods[~seen.labelled]
    embedded = Embeddings(np.arange(len(vectors)), vectors, seen.answer.version)
    calibration = seen.vectors[seen.held_out]
    stream = Stream(
        vectors,
        seen.answer.taken_for(vectors),
        seen.answer.attribute(embedded).p_values,
        len(calibration),
        ShiftTest(calibration, seen.answer.taken_for(calibration)),
    )
    known = np.isin(methods, list(seen.known))
    new = {name: np.flatnonzero(methods == name) for name in sorted(set(methods[~known].tolist()))}
    return Simulated(stream, np.flatnonzero(known), new)


def delay(one: Simulated, method: str, share: float, detect: Detect, rng: np.random.Generator) -> float:
    """Return how many faces of a new method came until the first alarm after it did; infinite if missed."""
    known, new = rng.permutation(one.known), rng.permutation(one.new[method])[:LIMIT]
    before, among = known[:BEFORE], known[BEFORE:]
    # As many known ones as there are decide how long it may take to notice.
    count = min(len(new), int(len(among) * share / (1 - share)))
    others = round(count * (1 - share) / share)
    arrived = rng.permutation(np.arange(count + others) < count)
    after = np.empty(len(arrived), np.int64)
    after[arrived], after[~arrived] = new[:count], among[:others]
    alarms = detect(one.faces.take(np.concatenate([before, after]))) - BEFORE
    alarms = alarms[alarms >= 0]
    return float(arrived[: alarms[0] + 1].sum()) if len(alarms) else np.inf


def counted(stream: Stream) -> NDArray[np.int64]:
    """Return where so many of the latest 200 faces are unusual that known ones hardly make as many."""
    sums = np.concatenate([[0], (stream.p_values <= ALARM_RATE).cumsum()])
    in_window = sums[1:] - sums[np.maximum(np.arange(1, len(sums)) - WINDOW, 0)]
    return np.flatnonzero(in_window >= arrival_count(WINDOW, ALARM_RATE, stream.calibration))


def changed(stream: Stream) -> NDArray[np.int64]:
    """Return where the p-values are seen to change."""
    change = changed_at(stream.p_values)
    return np.array([] if change is None else [change], np.int64)


def shifted(stream: Stream) -> NDArray[np.int64]:
    """Return where faces that are taken for a class are seen to be elsewhere than its own."""
    shift = stream.test.first(stream.vectors, stream.taken_for)
    return np.array([] if shift is None else [shift.position], np.int64)


def unusual(stream: Stream) -> NDArray[np.int64]:
    """Return where p-values sound the alarm, if they are asked after every portion of a few faces."""
    portions = range(PORTION, len(stream.p_values) + 1, PORTION)
    alarms = [end - 1 for end in portions if arrival(stream.p_values[:end], stream.calibration)]
    return np.array(alarms, np.int64)


def alarmed(stream: Stream) -> NDArray[np.int64]:
    """Return where owcl sounds the alarm: by p-values or by a shift."""
    return np.sort(np.concatenate([unusual(stream), shifted(stream)]))


def watched(make: Callable[[], Any], stream: Stream) -> NDArray[np.int64]:
    """Return where a detector of river has seen the mean surprise rise."""
    detector, surprises = make(), surprise(stream.p_values)
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
    "Page-Hinkley on p-values": changed,
    "the same, and more unusual ones than should be": unusual,
    "shift of a class": shifted,
    "the alarm at ingest (the last two)": alarmed,
    "ADWIN": partial(watched, adwin),
    "KSWIN": partial(watched, kswin),
    "every 100th face (dummy)": lambda stream: np.arange(99, len(stream.p_values), 100),
}

if __name__ == "__main__":
    main()

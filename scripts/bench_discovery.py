"""How many new classes, and which? Every estimator on the same pools, then time and memory of the default.

python scripts/bench_discovery.py [--mixtures 60] [--workspaces DIR ...] [--pools 20] [--largest 1000000]

Mixtures are drawn here. Workspaces are those that `owcl simulate folder` or `rendered` left behind: their
faces are embedded with the model of session 0, and pools are drawn of the methods that it did not know.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from sklearn.metrics import normalized_mutual_info_score

from owcl.novelty.calibration import conformal_p_values, select_arrivals
from owcl.novelty.counting.partitions import clusters_of, reduced
from owcl.novelty.counting.registry import ESTIMATORS
from owcl.novelty.counting.scaled_density import ScaledDensityCount
from owcl.novelty.counting.spectral_division import SpectralDivision
from owcl.novelty.scores.neighbours import NearestNeighbourScore

SMALLEST = 20
"""Faces that make a class for every estimator."""
COUNTED = 30
"""Faces of a new method in the pool from which on it has to be found."""
MOST_NEW = 12
FALSE_DISCOVERIES = 0.1
PLAIN = "HDBSCAN of scikit-learn"
OURS = "owcl: the default, overruled by resamples and divided by spectra"
KNOWN, JUNK = -1, -2


@dataclass(frozen=True)
class Faces:
    """What came in, beside what is registered."""

    registered: NDArray[np.float32]
    classes: NDArray[np.int64]
    calibration: NDArray[np.float32]
    incoming: NDArray[np.float32]
    truth: NDArray[np.int64]
    """Number of the new method; `KNOWN` or `JUNK` for others."""
    spectra: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    """Of the registered and the incoming faces, where there are images."""

    def chosen(self) -> NDArray[np.bool_]:
        """Return which faces stand out from the registered classes, as the engine chooses them."""
        score = NearestNeighbourScore().fit(self.registered, self.classes)
        p_values = conformal_p_values(score.score(self.calibration), score.score(self.incoming))
        return select_arrivals(p_values, FALSE_DISCOVERIES).chosen


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mixtures", type=int, default=60, help="runs on mixtures")
    parser.add_argument("--workspaces", type=Path, nargs="*", default=[], help="of simulations")
    parser.add_argument("--pools", type=int, default=20, help="runs on each workspace")
    parser.add_argument("--largest", type=int, default=1_000_000, help="faces of the largest timed pool")
    parser.add_argument("--timed", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.timed is not None:
        _time(asked.timed)
        return
    print(f"{platform.platform()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    print(
        *(f"{name} {version(name)}" for name in ("scikit-learn", "hdbscan", "faiss-cpu", "numpy")), sep=", "
    )
    every: dict[str, list[tuple[int, int, float]]] = {}
    if asked.mixtures:
        _compare("mixtures", (mixture(seed) for seed in range(asked.mixtures)), every)
    for place in asked.workspaces:
        _compare(str(place), embedded(place, asked.pools), every)
    _table("all together", every)
    _scale(asked.largest)


def mixture(seed: int) -> Faces:
    """Draw registered and new classes, known faces and junk.

    Eight registered classes lie in 12 of 128 directions, 0 to 12 new ones partly beside them. All vary in
    common directions and a little in ones of their own, with tails of 3 or 5 degrees of freedom; new ones
    vary 1.3 times as much as faces that were learned from. New classes are 30 to 1,500 faces; one in twenty
    faces is junk.
    """
    rng = np.random.default_rng(seed)
    wide = np.linalg.qr(rng.normal(size=(128, 12)))[0]
    common = np.linalg.qr(rng.normal(size=(128, 24)))[0]
    new, apart, tail = seed % (MOST_NEW + 1), (2.4, 2.8, 3.2)[seed % 3], (3.0, 5.0)[seed % 2]

    def law(is_new: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        centre = _unit(wide @ rng.normal(size=12))
        if is_new:
            centre = _unit(0.6 * centre + 0.8 * _unit(rng.normal(size=128)))
        return centre, np.linalg.qr(common + rng.normal(size=(128, 24)) / np.sqrt(128))[0]

    def faces(
        of: tuple[NDArray[np.float64], NDArray[np.float64]], count: int, looseness: float
    ) -> NDArray[np.float32]:
        centre, directions = of
        tails = looseness * np.sqrt(tail / rng.chisquare(tail, size=(count, 1)))
        inside = (rng.normal(size=(count, 24)) * np.linspace(0.55, 0.08, 24)) @ directions.T
        return _unit(apart * centre + tails * (inside + 0.076 * rng.normal(size=(count, 128)))).astype(
            np.float32
        )

    known = [law(False) for _ in range(8)]
    sizes = np.exp(rng.uniform(np.log(30), np.log(1500), size=new)).astype(int)
    came = [faces(one, 70, 1.0) for one in known] + [faces(law(True), size, 1.3) for size in sizes.tolist()]
    truth = np.repeat([KNOWN] * 8 + list(range(new)), [70] * 8 + sizes.tolist())
    junk = _unit(
        _unit(rng.normal(size=(len(truth) // 20, 128)))
        + _unit(rng.normal(size=(len(truth) // 20, 12)) @ wide.T)
    )
    return Faces(
        np.concatenate([faces(one, 100, 1.0) for one in known]),
        np.repeat(np.arange(8), 100),
        np.concatenate([faces(one, 200, 1.0) for one in known]),
        np.concatenate([*came, junk.astype(np.float32)]),
        np.append(truth, np.full(len(junk), JUNK)),
    )


def embedded(place: Path, count: int) -> Iterator[Faces]:
    """Draw pools of the methods that a simulation's session 0 did not know, embedded with its model."""
    from session_zero import session_zero

    from owcl.engine.memory import REFERENCE
    from owcl.faces.spectrum import spectra

    seen = session_zero(place)
    learned, held_out, arriving = (
        seen.by_method(chosen) for chosen in (seen.labelled & ~seen.held_out, seen.held_out, ~seen.labelled)
    )
    known, vectors, traces = seen.known, seen.vectors, spectra(seen.images)
    novel = sorted(set(arriving) - known)
    for seed in range(count):
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(novel)[: seed % (len(novel) + 1)]
        parts = [(KNOWN, rng.permutation(arriving[method])[:60]) for method in sorted(known & set(arriving))]
        for number, method in enumerate(chosen.tolist()):
            size = int(np.exp(rng.uniform(np.log(40), np.log(400))))
            parts.append((number, rng.permutation(arriving[method])[:size]))
        places = np.concatenate([part for _, part in parts])
        exemplars = {method: rng.permutation(found)[:REFERENCE] for method, found in sorted(learned.items())}
        registered = np.concatenate(list(exemplars.values()))
        yield Faces(
            vectors[registered],
            np.repeat(np.arange(len(exemplars)), [len(found) for found in exemplars.values()]),
            vectors[np.concatenate(list(held_out.values()))],
            vectors[places],
            np.repeat([number for number, _ in parts], [len(part) for _, part in parts]),
            (traces[registered], traces[places]),
        )


def _compare(title: str, runs: Iterator[Faces], every: dict[str, list[tuple[int, int, float]]]) -> None:
    found: dict[str, list[tuple[int, int, float]]] = {}
    for number, faces in enumerate(runs):
        chosen = faces.chosen()
        truth = faces.truth[chosen]
        present = int((np.bincount(truth[truth >= 0], minlength=1) >= COUNTED).sum())
        for name, labels in _partitions(faces, chosen, number):
            agreement = normalized_mutual_info_score(truth, labels) if present else np.nan
            found.setdefault(name, []).append((present, clusters_of(labels), agreement))
    _table(title, found)
    for name, rows in found.items():
        every.setdefault(name, []).extend(rows)


def _partitions(
    faces: Faces, chosen: NDArray[np.bool_], seed: int
) -> Iterator[tuple[str, NDArray[np.int64]]]:
    from sklearn.cluster import HDBSCAN

    pool = faces.incoming[chosen]
    yield OURS, _ours(faces, chosen, seed)
    for name, kind in ESTIMATORS.items():
        estimator = kind(SMALLEST).fit(faces.registered, faces.classes)
        yield name, estimator.clustered(pool, np.random.default_rng(seed))
    if len(pool) < SMALLEST:
        yield PLAIN, np.full(len(pool), -1)
    else:
        yield PLAIN, HDBSCAN(min_cluster_size=SMALLEST, copy=True).fit_predict(reduced(pool)).astype(np.int64)


def _ours(faces: Faces, chosen: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Return the clusters that `owcl discover` comes to, for whose second look there must be images."""
    pool, rng = faces.incoming[chosen], np.random.default_rng(seed)
    counter = ScaledDensityCount(SMALLEST).fit(faces.registered, faces.classes)
    estimate = counter.estimate(pool, rng)
    if faces.spectra is not None and estimate.value:
        registered, incoming = faces.spectra
        division = SpectralDivision(faces.registered, registered, faces.classes)
        estimate = division.divided(estimate, pool, incoming[chosen], SMALLEST, rng)
    return estimate.labels


def _table(title: str, found: dict[str, list[tuple[int, int, float]]]) -> None:
    runs = len(next(iter(found.values())))
    print(f"\n{title}: {runs} runs\n\n| estimator | exact | within 1 | mean absolute error | bias | NMI |")
    print("|---|---|---|---|---|---|")
    for name, rows in found.items():
        table = np.array(rows)
        error = table[:, 1] - table[:, 0]
        exact, near = 100 * (error == 0).mean(), 100 * (abs(error) <= 1).mean()
        print(
            f"| {name} | {exact:.0f} % | {near:.0f} % | {abs(error).mean():.2f} | {error.mean():+.2f} | "
            f"{np.nanmean(table[:, 2]):.3f} |",
            flush=True,
        )
    best = np.nanmean(np.array([[row[2] for row in rows] for rows in found.values()]), axis=1)
    print(f"\nBest NMI on the mean: {list(found)[int(best.argmax())]}")


def _scale(largest: int) -> None:
    sizes = [size for size in (10_000, 100_000, 1_000_000) if size <= largest]
    print("\n| faces of 256 numbers | seconds | peak memory, MB | of it the pool |\n|---|---|---|---|")
    seconds = []
    for size in sizes:
        out = subprocess.run(
            [sys.executable, __file__, "--timed", str(size)], check=True, capture_output=True, text=True
        )
        taken, peak, given, value = out.stdout.split()
        seconds.append(float(taken))
        print(f"| {size:,} (12 new, {value} found) | {taken} | {peak} | {given} |", flush=True)
    if len(sizes) > 1:
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        print(f"\nTime grows with faces to the power of {exponent:.2f}.")


def _time(size: int) -> None:
    rng = np.random.default_rng(0)
    centres = 3 * _unit(rng.normal(size=(20, 256)))
    known = _unit(np.repeat(centres[:8], 100, axis=0) + 0.15 * rng.normal(size=(800, 256))).astype(np.float32)
    pool = np.empty((size, 256), np.float32)
    for start in range(0, size, 50_000):
        part = pool[start : start + 50_000]
        part[:] = 0.15 * rng.standard_normal(part.shape, np.float32)
        part += centres[8 + rng.integers(12, size=len(part))]
    counter = ScaledDensityCount().fit(known, np.repeat(np.arange(8), 100))
    began = time.perf_counter()
    value = counter.estimate(pool, rng).value
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{taken:.1f} {peak:.0f} {pool.nbytes / 2**20:.0f} {value}")


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / lengths


if __name__ == "__main__":
    main()

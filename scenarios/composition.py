"""Presets: streams with a purpose, composed from the faces of any tree of method folders."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np

from owcl.errors import BadInput, NotFound
from owcl.faces.reposting import reposted
from scenarios.copies import copies, second_version
from scenarios.folder import Tree, planned_image_size, read_tree, scheduled
from scenarios.schedule import REAL, Arrival, FileEntry, Schedule, StreamPlan
from scenarios.truth import AnswerKey

PRESETS = (
    "steady",
    "cgcd",
    "offline",
    "families",
    "quiet",
    "return",
    "return_long",
    "burst",
    "trickle",
    "reposted",
    "lookalike",
)
"""The names, in the order of `presets/*.toml` that a person needs; each file says what it is for."""
TEST_FRACTION = 0.25
SECOND_VERSION = "_second_version"
"""What is added to a method's name for the name of its second version."""

Range = Sequence[int]
"""The least and the most; what lies between is drawn."""
Arrivals = int | Literal["families"] | Sequence[Range]


@dataclass(frozen=True)
class Preset:
    """What a preset's file says. Numbers of faces are of each method, and less where the tree has fewer."""

    name: str
    purpose: str
    faces_per_method: int
    """To make, where faces are made."""
    known_share: float
    """Of the methods; at least two are known, `real` among them."""
    labelled_fraction: float
    """Of the training faces of a known method."""
    arrivals: Arrivals
    """New methods with each experience; a number says how many experiences share all of them evenly, and
    `families` that each brings all of one family."""
    novel_faces: Range
    """Of a new method, when it arrives."""
    known_faces: Range
    """Of a known method, in every experience."""
    earlier_faces: Range
    """Of a method that arrived before."""
    absent: Range = (0, 0)
    """Experiences for which a new method stays away after its arrival."""
    reposted: bool = False
    """Whether all unlabelled faces are copies that somebody posted again."""
    second_version: bool = False
    """Whether the second method to arrive is a second version of the first."""


def read_preset(name: str) -> Preset:
    """Return a preset by name.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, 1)
        raise NotFound(
            f"preset {name!r}: there is none of that name. Choose one of {', '.join(PRESETS)}."
            + (f' Did you mean "{near[0]}"?' if near else "")
        )
    file = resources.files("scenarios") / "presets" / f"{name}.toml"
    return Preset(name, **tomllib.loads(file.read_text(encoding="utf-8")))


def load(root: Path, name: str, folder: Path, seed: int = 0) -> tuple[Schedule, AnswerKey]:
    """Compose a preset's stream from a tree `DIR/<method>/*` or `DIR/faces/<method>/*`.

    Args:
        root: of the tree; of a `stream.toml` only the image size is read.
        name: of the preset.
        folder: keeps changed copies of faces, where the preset needs any.
        seed: decides which methods are known, the order of the others, and which faces come when.

    Raises:
        NotFound: if there is no such preset.
        BadInput: if there are no method folders, or too few faces in one.
    """
    return composed(read_tree(root), name, folder, planned_image_size(root), seed)


def composed(tree: Tree, name: str, folder: Path, image_size: int, seed: int) -> tuple[Schedule, AnswerKey]:
    """Compose a preset's stream from the faces of a tree, however it was read; see `load`."""
    preset = read_preset(name)
    methods = _order(tuple(tree.files), np.random.default_rng(seed))
    known = _known(preset, len(methods))
    if preset.second_version and known < len(methods):
        tree = with_second_version(tree, methods[known], folder, seed)
        methods = (*methods[: known + 1], methods[known] + SECOND_VERSION, *methods[known + 1 :])
    counts = {method: len(tree.files[method]) for method in methods}
    schedule, key = scheduled(tree, compose(preset, counts, tree.families, known, image_size, seed))
    for experience in schedule.experiences:
        if not experience.paths:
            raise BadInput(
                f"preset {name!r}: there are too few faces in the tree: none is left for experience "
                f"{experience.index} of {len(schedule.experiences) - 1}. Add faces, or choose another preset."
            )
    return posted_again(schedule, key, folder) if preset.reposted else (schedule, key)


def compose(
    preset: Preset,
    counts: Mapping[str, int],
    families: Mapping[str, str],
    known: int,
    image_size: int,
    seed: int,
) -> StreamPlan:
    """Plan a preset's stream.

    Where a method has too few faces for what the preset wants, all of its kind, known or new, get less by the
    same factor, so that the proportions stay.

    Args:
        preset: what is wanted.
        counts: faces of each method, in the order in which they arrive.
        families: of the methods, for a preset in which these arrive.
        known: how many of them, from the first, are known.
        image_size: pixels a side.
        seed: decides what the preset leaves open.

    Raises:
        BadInput: if families are to arrive, and a new method has none.
    """
    rng = np.random.default_rng(seed)
    methods = list(counts)
    groups = _groups(methods[known:], families, preset.arrivals, rng)
    absent = _absences(groups, preset.absent, rng)
    novel, earlier, mine = (
        _drawn(wanted, len(groups), rng)
        for wanted in (preset.novel_faces, preset.earlier_faces, preset.known_faces)
    )
    training = {method: count * (1 - TEST_FRACTION) for method, count in counts.items()}
    unlabelled = (1 - preset.labelled_fraction) * min(training[method] for method in methods[:known])
    of_known = min(1.0, unlabelled / max(sum(mine), 1))
    wanted = _wanted(groups, novel, earlier, absent)
    of_novel = min([1.0, *(training[method] / count for method, count in wanted.items())])
    arrivals = tuple(
        Arrival(
            group,
            _scaled(novel[index], of_novel),
            _scaled(earlier[index], of_novel),
            absent[index],
            _scaled(mine[index], of_known),
        )
        for index, group in enumerate(groups)
    )
    return StreamPlan(
        name=preset.name,
        image_size=image_size,
        known=tuple(methods[:known]),
        arrivals=arrivals,
        labelled_fraction=preset.labelled_fraction,
        test_fraction=TEST_FRACTION,
        seed=seed,
    )


def with_second_version(tree: Tree, method: str, folder: Path, seed: int) -> Tree:
    """Take every second group of faces from a method and make of them those of its second version."""
    groups = sorted({entry.group for entry in tree.files[method]})
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    changed = {groups[row] for row in shuffled[: len(groups) // 2]}
    taken = [entry for entry in tree.files[method] if entry.group in changed]
    copy_of = copies([entry.path for entry in taken], folder, second_version, seed)
    second = method + SECOND_VERSION
    files = {
        **tree.files,
        method: [entry for entry in tree.files[method] if entry.group not in changed],
        second: [FileEntry(copy_of[entry.path], entry.group) for entry in taken],
    }
    families = dict(tree.families)
    if method in families:
        families[second] = families[method]
    return Tree(files, families)


def posted_again(schedule: Schedule, key: AnswerKey, folder: Path) -> tuple[Schedule, AnswerKey]:
    """Let copies arrive for all unlabelled faces; the labelled ones and the test stay as they are."""
    first, *later = schedule.experiences
    arriving = [path for experience in later for path in experience.paths]
    copy_of = copies(arriving, folder, reposted, seed=len(arriving))
    changed = tuple(
        replace(experience, paths=tuple(copy_of[path] for path in experience.paths)) for experience in later
    )
    method_of = {**key.method_of, **{copy: key.method_of[path] for path, copy in copy_of.items()}}
    return replace(schedule, experiences=(first, *changed)), replace(key, method_of=method_of)


def _order(methods: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    """Return `real` first, and the others at random."""
    others = sorted(set(methods) - {REAL})
    shuffled = tuple(others[row] for row in rng.permutation(len(others)))
    return (REAL, *shuffled) if REAL in methods else shuffled


def _known(preset: Preset, count: int) -> int:
    return min(count, max(2, round(preset.known_share * count)))


def _sizes(arrivals: int | Sequence[Range], left: int, rng: np.random.Generator) -> list[int]:
    """Return how many new methods each experience brings: as many as wanted, as long as there are any."""
    if isinstance(arrivals, int):
        return [left // arrivals + (index < left % arrivals) for index in range(arrivals)]
    sizes = []
    for index, (least, most) in enumerate(arrivals):
        later = arrivals[index + 1 :]
        # Enough must be left for the experiences to come, and no more than they can take.
        low = min(max(least, left - sum(high for _, high in later)), most)
        high = max(min(most, left - sum(low for low, _ in later)), low)
        sizes.append(min(int(rng.integers(low, high + 1)), left))
        left -= sizes[-1]
    return sizes


def _groups(
    novel: Sequence[str], families: Mapping[str, str], arrivals: Arrivals, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Return the new methods of each experience."""
    if arrivals == "families":
        return _by_family(novel, families)
    sizes = _sizes(arrivals, len(novel), rng)
    ends = np.cumsum(sizes).tolist()
    return [tuple(novel[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def _by_family(novel: Sequence[str], families: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the new methods of each family, in the order of the first of each."""
    without = [method for method in novel if method not in families]
    if without:
        raise BadInput(
            f"preset 'families': nothing says of which family {', '.join(without)} are. A column family in "
            "the tree's manifest.csv is expected. Add it, or choose another preset."
        )
    groups: dict[str, tuple[str, ...]] = {}
    for method in novel:
        groups[families[method]] = (*groups.get(families[method], ()), method)
    return list(groups.values())


def _absences(
    groups: Sequence[tuple[str, ...]], away: Range, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Return who stays away from each experience."""
    absent: list[tuple[str, ...]] = [()] * len(groups)
    for arrived, group in enumerate(groups):
        for method in group:
            back = arrived + 1 + _drawn(away, 1, rng)[0]
            for index in range(arrived + 1, min(back, len(groups))):
                absent[index] = (*absent[index], method)
    return absent


def _wanted(
    groups: Sequence[tuple[str, ...]],
    novel: Sequence[int],
    earlier: Sequence[int],
    absent: Sequence[tuple[str, ...]],
) -> dict[str, int]:
    """Return how many faces of each new method would arrive in all."""
    return {
        method: novel[arrived]
        + sum(earlier[index] for index in range(arrived + 1, len(groups)) if method not in absent[index])
        for arrived, group in enumerate(groups)
        for method in group
    }


def _drawn(wanted: Range, count: int, rng: np.random.Generator) -> list[int]:
    drawn: list[int] = rng.integers(wanted[0], wanted[1] + 1, count).tolist()
    return drawn


def _scaled(count: int, factor: float) -> int:
    """A face at least, where any are wanted."""
    return max(int(count * factor), min(count, 1))

"""The scenario `folder`: any tree of method folders, with a `stream.toml` that orders them or without."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from owcl.errors import BadInput
from scenarios.method_folders import groups_in, images_in, method_folders
from scenarios.schedule import Arrival, FileEntry, Schedule, StreamPlan, draw, sensible_plan
from scenarios.tables import table
from scenarios.truth import AnswerKey

PLAN_FILE = "stream.toml"
MANIFEST = "manifest.csv"
DEFAULT_IMAGE_SIZE = 64


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_share(value: Any) -> bool:
    # By type: a truth value would pass for a number.
    return type(value) in (int, float) and 0 <= value <= 1


def _is_entries(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


_Expected = Mapping[str, tuple[Callable[[Any], bool], str]]
_KEYS: _Expected = {
    "name": (_is_text, "a text"),
    "image_size": (lambda value: _is_count(value) and value > 0, "a whole number of pixels, at least 1"),
    "test_fraction": (lambda value: _is_share(value) and value < 1, "a number from 0 to below 1"),
    "seed": (_is_count, "a whole number, at least 0"),
    "known": (lambda value: _is_list(value) and len(value) > 1, "a list of methods, at least two"),
    "labelled_fraction": (_is_share, "a number from 0 to 1"),
    "experience": (_is_entries, "entries of the form [[experience]]"),
}
_EXPERIENCE_KEYS: _Expected = {
    "novel": (_is_list, "a list of methods"),
    "novel_per_class": (_is_count, "a whole number, at least 0"),
    "seen_per_class": (_is_count, "a whole number, at least 0"),
    "absent": (_is_list, "a list of methods"),
}


@dataclass(frozen=True)
class Tree:
    """The faces of a tree of method folders, and what its manifest says of the methods."""

    files: Mapping[str, Sequence[FileEntry]]
    families: Mapping[str, str]


def read_tree(root: Path) -> Tree:
    """Read which faces a tree holds, each under the absolute path that `ingest` keeps.

    Raises:
        BadInput: if there are no method folders, or the manifest lacks a column.
    """
    root = Path(os.path.abspath(root))
    rows = _manifest(root)
    files = {method: _entries(folder, root, rows) for method, folder in method_folders(root).items()}
    return Tree(files, {row["method"]: row["family"] for row in rows.values() if row.get("family")})


def planned_image_size(root: Path) -> int:
    """Return the image size that a tree's own plan asks for, or the default.

    Raises:
        BadInput: if the plan cannot be used.
    """
    if not (root / PLAN_FILE).exists():
        return DEFAULT_IMAGE_SIZE
    return read_plan(root / PLAN_FILE, method_folders(root)).image_size


def load(root: Path, seed: int | None = None) -> tuple[Schedule, AnswerKey]:
    """Read a tree `DIR/<method>/*` or `DIR/faces/<method>/*` as a stream.

    Faces in a folder below a method's, such as that of a video, are a group.

    Args:
        root: may hold a `stream.toml`, and a `manifest.csv` with columns path, method, family, group.
        seed: replaces the plan's own.

    Returns:
        What will arrive when, and the answer key.

    Raises:
        BadInput: if there are no method folders, or the plan has unknown keys or methods without a folder.
    """
    tree = read_tree(root)
    if (root / PLAN_FILE).exists():
        plan = read_plan(root / PLAN_FILE, tree.files)
        plan = plan if seed is None else replace(plan, seed=seed)
    else:
        counts = {method: len(entries) for method, entries in tree.files.items()}
        plan = sensible_plan(root.name, counts, DEFAULT_IMAGE_SIZE, seed or 0)
    return scheduled(tree, plan)


def scheduled(tree: Tree, plan: StreamPlan) -> tuple[Schedule, AnswerKey]:
    """Draw a stream from a tree, and return it with its answer key.

    Raises:
        BadInput: if a known method is left without a labelled face, or a novel one without any.
    """
    experiences, test = draw(tree.files, plan)
    methods = (*plan.known, *(method for arrival in plan.arrivals for method in arrival.novel))
    key = AnswerKey(
        method_of={entry.path: method for method in methods for entry in tree.files[method]},
        methods=methods,
        arrivals=(plan.known, *(arrival.novel for arrival in plan.arrivals)),
        families=tree.families,
    )
    known_families = {method: tree.families[method] for method in plan.known if method in tree.families}
    return Schedule(plan.name, plan.image_size, plan.known, known_families, experiences, test), key


def read_plan(path: Path, methods: Collection[str]) -> StreamPlan:
    """Read a `stream.toml` over methods of which there are folders.

    Raises:
        BadInput: if it is no TOML; a key is unknown, missing or has an impossible value; or a method has no
            folder, comes twice, or is absent before it came.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not valid TOML: {error}. Correct the line named.") from error
    _refuse_unusable(path, "", content, _KEYS)
    arrivals = []
    for index, entry in enumerate(content.get("experience", []), start=1):
        _refuse_unusable(path, f"experience {index}: ", entry, _EXPERIENCE_KEYS)
        if entry.get("novel") and not entry.get("novel_per_class"):
            raise BadInput(
                f'{path}: experience {index}: methods arrive, but "novel_per_class" is missing or 0. '
                "Say how many faces of each of them arrive."
            )
        arrivals.append(
            Arrival(
                tuple(entry.get("novel", ())),
                entry.get("novel_per_class", 0),
                entry.get("seen_per_class", 0),
                tuple(entry.get("absent", ())),
            )
        )
    try:
        plan = StreamPlan(
            name=content.get("name", path.parent.name),
            image_size=content.get("image_size", DEFAULT_IMAGE_SIZE),
            known=tuple(content["known"]),
            arrivals=tuple(arrivals),
            labelled_fraction=content.get("labelled_fraction", 0.6),
            test_fraction=content.get("test_fraction", 0.25),
            seed=content.get("seed", 0),
        )
    except KeyError as error:
        raise BadInput(f"{path}: the key {error} is missing. List the known methods under it.") from error
    _refuse_missing(path, plan, methods)
    return plan


def _refuse_unusable(path: Path, where: str, entry: Mapping[str, Any], expected: _Expected) -> None:
    for key, value in entry.items():
        if key not in expected:
            raise BadInput(
                f'{path}: {where}there is no key "{key}". Keys: {", ".join(sorted(expected))}.'
                f"{_did_you_mean(key, expected)}"
            )
        is_usable, words = expected[key]
        if not is_usable(value):
            raise BadInput(f"{path}: {where}{key} is {value!r}. Expected: {words}. Correct it.")


def _did_you_mean(word: str, words: Collection[str]) -> str:
    near = difflib.get_close_matches(word, words, 1)
    return f' Did you mean "{near[0]}"?' if near else ""


def _refuse_missing(path: Path, plan: StreamPlan, methods: Collection[str]) -> None:
    named = [(0, method) for method in plan.known]
    named += [(index, method) for index, arrival in enumerate(plan.arrivals, 1) for method in arrival.novel]
    seen: dict[str, int] = {}
    for index, method in named:
        if method not in methods:
            raise BadInput(
                f'{path}: experience {index} names the method "{method}", but there is no folder of that '
                f"name with images. Folders there: {', '.join(methods)}. Rename it or remove the entry."
                f"{_did_you_mean(method, methods)}"
            )
        if method in seen:
            raise BadInput(
                f'{path}: experience {index} names the method "{method}", which arrived before. Each method '
                "arrives once. Remove the second entry; it comes back through seen_per_class."
            )
        seen[method] = index
    for index, arrival in enumerate(plan.arrivals, 1):
        for method in arrival.absent:
            if seen.get(method, index) >= index:
                raise BadInput(
                    f'{path}: experience {index}: absent names the method "{method}", which has not been met '
                    f"before. Methods met before: {', '.join(m for m in seen if seen[m] < index)}. Correct "
                    "the name or remove the entry."
                )


def _manifest(root: Path) -> dict[str, dict[str, str]]:
    if not (root / MANIFEST).exists():
        return {}
    with table(root / MANIFEST) as reader:
        columns = reader.fieldnames or ()
        if not {"path", "method"} <= set(columns):
            raise BadInput(
                f"{root / MANIFEST}: the columns are {', '.join(columns) or 'none'}. At least path and "
                "method are expected, and family and group are read. Name the columns in the first line."
            )
        return {row["path"]: row for row in reader}


def _entries(folder: Path, root: Path, rows: Mapping[str, Mapping[str, str]]) -> list[FileEntry]:
    entries = []
    paths = list(images_in(folder))
    for path, group in zip(paths, groups_in(folder, list(map(str, paths))), strict=True):
        written = rows.get(path.relative_to(root).as_posix(), {}).get("group")
        entries.append(FileEntry(path, written or (folder / group).relative_to(root).as_posix()))
    return entries

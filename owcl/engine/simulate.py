"""`owcl simulate`: the other verbs, in order, over a scenario and seeds; it plays the outside world.

The simulator knows the truth and hands none of it on: it feeds files to `ingest`, calls `discover` and
`update`, and compares with the answer key only what they have stored.
"""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from owcl.config import FILE_NAME, Configuration, FacesConfiguration, TrainingConfiguration
from owcl.engine import evaluate, operator, scoring
from owcl.engine.asked import Asked, check, stream_of
from owcl.engine.baselines import BASELINES, PEERS
from owcl.engine.discover import discover
from owcl.engine.ingest import ingest
from owcl.engine.operator import Operator
from owcl.engine.scoring import World
from owcl.engine.setting import Setting, setting_of
from owcl.engine.train import SMALLEST_CLASS, LabelledFace, train_on
from owcl.engine.update import update
from owcl.engine.workspace import Report, Workspace, silent
from owcl.errors import BadInput, Conflict
from owcl.evaluation.table import COLUMNS
from owcl.types import Attributions
from scenarios.schedule import Schedule, ScheduledExperience
from scenarios.truth import AnswerKey
from storage import experiences, models


def simulate(asked: Asked, workspace: Path, seeds: int = 1, report: Report = silent) -> dict[str, Any]:
    """Run a scenario from start to end; interrupted, it goes on where it was when it is run again.

    Args:
        asked: the scenario, the learner and the other rows of the table.
        workspace: where to keep workspaces; with one seed it is the workspace itself.
        seeds: how many streams, each with its own order, split and weights.
        report: told of progress.

    Returns:
        `scenario`, `seeds`, `methods` (name → column → one value a seed, accuracies in percent),
        `per_experience` and `workspaces`, as plain values.

    Raises:
        BadInput: if the scenario's folder cannot be used.
        NotFound: if there is no such learner or preset.
        Conflict: if the workspace has lived through another scenario, seed or learner, or has gone on
            without a learner that is to be compared, or faces were made for it with other settings.
    """
    check(asked)
    human = None if asked.operator is None else operator.parsed(asked.operator)
    methods: dict[str, dict[str, list[float | None]]] = {}
    per_experience: list[dict[str, Any]] = []
    roots = [workspace if seeds == 1 else workspace / f"seed-{seed}" for seed in range(seeds)]
    for seed, home in enumerate(roots):
        rows, table = _one_seed(asked, workspace, home, seed, human, report)
        per_experience += [{"seed": seed, **row} for row in rows]
        for name, figures in table.items():
            for column in COLUMNS:
                methods.setdefault(name, {}).setdefault(column, []).append(figures.get(column))
    return {
        "scenario": asked.scenario,
        "seeds": list(range(seeds)),
        "methods": methods,
        "per_experience": per_experience,
        "workspaces": [str(home) for home in roots],
    }


def _one_seed(
    asked: Asked, workspace: Path, home: Path, seed: int, human: Operator | None, report: Report
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float | None]]]:
    """Return the figures of each experience of one seed's stream, and the rows of the table at its end."""
    schedule, key = stream_of(asked, workspace, seed, report)
    with _opened(home, schedule, seed, asked) as opened:
        world = _world(opened, schedule, key, report)
        _live(opened, world, human, 0, report)
        places = {learner: _fork(opened, learner) for learner in asked.other_learners}
        rows = _live(opened, world, human, asked.until, report)
        table = {"owcl": scoring.stream_row(opened, world, rows)}
        for learner, place in places.items():
            with _opened(place, schedule, seed, replace(asked, learner=learner)) as other:
                lived = _live(other, world, human, None, _named(learner, report))
                table[f"owcl with {learner}"] = scoring.stream_row(other, world, lived)
        for name, figures in table.items():
            scoring.record(opened, name, figures)
        setting = functools.cache(lambda: setting_of(opened, world, report))
        for name in asked.rows:
            table[name] = scoring.recorded(opened, name) or _baseline(world, setting(), name)
            scoring.record(opened, name, table[name])
    return rows, table


def _named(learner: str, report: Report) -> Report:
    return lambda what, done, total: report(f"{learner}: {what}", done, total)


def _fork(workspace: Workspace, learner: str) -> Path:
    """Return where another learner goes on from experience 0, a workspace of its own inside this one.

    So all learners start from the same weights, also where training is not the same twice, as on a GPU.

    Raises:
        Conflict: if there is none yet and the workspace has gone on without it.
    """
    place = workspace.root / "learners" / learner
    if (place / FILE_NAME).exists():
        return place
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
    assert latest is not None  # Experience 0 has been learned.
    if latest.index > 0:
        raise Conflict(
            f"{workspace.root}: experience {latest.index} has begun without {learner}, which would have to "
            "go on from experience 0. A new folder is expected to compare learners in. Choose one with "
            "--workspace."
        )
    training = workspace.configuration.training.model_copy(update={"learner": learner})
    workspace.copy_to(place, workspace.configuration.model_copy(update={"training": training}))
    return place


def _opened(home: Path, schedule: Schedule, seed: int, asked: Asked) -> Workspace:
    if (home / FILE_NAME).exists():
        opened = Workspace.open(home)
        lived = (opened.configuration.seed, opened.configuration.training.learner)
        if lived != (seed, asked.learner):
            opened.close()
            raise Conflict(
                f"{home}: a workspace of seed {lived[0]} and learner {lived[1]}, not of {seed} and "
                f"{asked.learner}. Choose another folder."
            )
        return opened
    training = TrainingConfiguration(learner=asked.learner)
    if asked.quick:
        training = training.halved()
    try:
        faces = FacesConfiguration(image_size=schedule.image_size)
    except ValidationError as error:
        raise BadInput(
            f"{schedule.name}: image_size is {schedule.image_size}. {error.errors()[0]['msg']}. Correct it "
            "in the stream.toml of the faces."
        ) from error
    return Workspace.create(home, Configuration(seed=seed, faces=faces, training=training))


def _world(workspace: Workspace, schedule: Schedule, key: AnswerKey, report: Report) -> World:
    images, kept = evaluate.read_images(workspace, [str(path) for path in schedule.test], report)
    return World(schedule, key, images, key.numbers(schedule.test)[kept])


def _live(
    workspace: Workspace, world: World, human: Operator | None, until: int | None, report: Report
) -> list[dict[str, Any]]:
    """Live through the stream and return the figures of each experience, taken again from the store."""
    lived = world.schedule.experiences[: None if until is None else until + 1]
    for scheduled in lived:
        began = time.monotonic()
        if scoring.is_measured(workspace, scheduled.index):
            continue
        if scheduled.index == 0:
            _start(workspace, world, report)
        else:
            _step(workspace, world, scheduled, human, report)
        scoring.measure(workspace, world, scheduled.index, time.monotonic() - began)
    return [scoring.experience_row(workspace, world, scheduled.index) for scheduled in lived]


def _start(workspace: Workspace, world: World, report: Report) -> None:
    with workspace.store.reading() as transaction:
        if models.answering(transaction) is not None:
            return
    first = world.schedule.experiences[0]
    assert first.labels is not None
    labelled: dict[str, list[LabelledFace]] = {method: [] for method in world.schedule.known}
    groups = first.groups or map(str, first.paths)
    for path, method, group in zip(first.paths, first.labels, groups, strict=True):
        labelled[method].append(LabelledFace(str(path), group))
    for method, paths in labelled.items():
        if len(paths) < SMALLEST_CLASS:
            raise BadInput(
                f"{method}: {len(paths)} faces are left to learn from, after others were set aside for the "
                f"test and for later experiences. At least {SMALLEST_CLASS} are needed. Add faces to it."
            )
    train_on(workspace, labelled, world.schedule.known_families, report)


def _step(
    workspace: Workspace,
    world: World,
    scheduled: ScheduledExperience,
    human: Operator | None,
    report: Report,
) -> None:
    """Take one experience as far as it has not come yet."""
    index = scheduled.index
    with workspace.store.reading() as transaction:
        latest = experiences.latest(transaction)
    assert latest is not None
    state = latest.state if latest.index == index else "open"
    if state in ("open", "ingested"):
        ingest(workspace, [str(path) for path in scheduled.paths], report)
        discover(workspace, report)
    if state != "updated":
        if human is not None:
            _ask(workspace, world, human, index)
        update(workspace, report)


def _ask(workspace: Workspace, world: World, human: Operator, experience: int) -> None:
    with workspace.store.reading() as transaction:
        registry = scoring.registry_of(transaction, world)
    number = {method: index for index, method in enumerate(world.key.methods)}
    operator.answer(
        workspace,
        human,
        lambda source: number[world.key.method_of[Path(source)]],
        registry,
        workspace.rng("operator", experience),
    )


def _baseline(world: World, setting: Setting, name: str) -> dict[str, float | None]:
    began = time.monotonic()
    by_experience = []
    for experience, predicted in enumerate((BASELINES | PEERS)[name](setting)):
        registry: dict[int, int | None] = {number: number for number in range(setting.num_known)}
        judged = Attributions(
            np.arange(len(predicted)),
            predicted.astype(np.int64),
            np.ones(len(predicted)),
            np.ones(len(predicted)),
            0,
        )
        figures = evaluate.figures(world.truth, judged, world.roles(experience), registry)
        by_experience.append(scoring.in_percent(figures))
    # What the outputs of a peer stand for is matched anew after each experience: they are no ids that last.
    undefined = dict.fromkeys(("id_acc_all", "id_acc_novel", "count_mae", "false_new", "auroc"))
    return {
        **{column: by_experience[-1].get(column) for column in COLUMNS},
        **undefined,
        "forget_labelled": scoring.over_time(by_experience)["forget_labelled"],
        "seconds_per_experience": (time.monotonic() - began) / max(1, len(by_experience) - 1),
    }

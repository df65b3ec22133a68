"""One experience of learning, as every verb runs it: where it is configured to, and saying how far it is."""

from __future__ import annotations

import numpy as np
import torch

from owcl.engine.workspace import Report, Workspace
from owcl.learners.base import Learner
from owcl.learners.strategy import ContinualStrategy, Progress, TrainingPlan
from scenarios.streams import FaceDataset, single_experience


def learn(
    workspace: Workspace,
    learner: Learner,
    plan: TrainingPlan,
    rng: np.random.Generator,
    faces: FaceDataset,
    report: Report,
    what: str,
) -> None:
    """Train a learner on faces, and bring it back to the processor.

    Args:
        workspace: whose configuration says where to compute.
        learner: is changed.
        plan: steps and learning rate.
        rng: draws batches.
        faces: with outputs as labels.
        report: told of every step.
        what: is going on, in words.
    """
    strategy = ContinualStrategy(
        learner=learner, plan=plan, rng=rng, device=device(workspace), progress=step_progress(report, what)
    )
    strategy.train(single_experience(faces), eval_streams=[])
    learner.cpu()


def step_progress(report: Report, what: str) -> Progress:
    """Return a progress callback of a strategy that reports its steps."""
    return lambda step, steps, _: report(what, step, steps)


def device(workspace: Workspace) -> str:
    """Return where to compute, as configured."""
    chosen = workspace.configuration.training.device
    return ("cuda" if torch.cuda.is_available() else "cpu") if chosen == "auto" else chosen

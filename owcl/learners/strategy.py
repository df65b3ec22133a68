"""The one Avalanche strategy: replay, optimiser, mixed precision and progress, whatever the learner."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from owcl.learners.base import Batch
from owcl.learners.resuming import Resumption, Training
from owcl.memory.replay import Exemplars
from owcl.models.randomness import seeded
from scenarios.streams import joined, pixels

with warnings.catch_warnings():
    # Solvers that Avalanche brings along warn of their own future at import.
    warnings.simplefilter("ignore")
    from avalanche.training.templates.base import BaseTemplate


@dataclass(frozen=True)
class TrainingPlan:
    """How long and how fast to learn."""

    steps: int
    learning_rate: float = 2e-3
    """The peak; it rises over the first fifth and falls to nearly nothing."""
    weight_decay: float = 0.05
    largest_gradient: float = 5.0
    decay: tuple[int, float] | None = None
    """Steps between two cuts of the learning rate, and the factor of each, as published recipes have it with
    Adam and nothing clipped; without, AdamW and one cycle."""
    mixed_precision: bool = True
    """Whether to compute in bfloat16 where that is fast; published recipes are in float32."""


Progress = Callable[[int, int, dict[str, float]], None]
"""Called with steps done, steps in all, and the losses."""


class ContinualStrategy(BaseTemplate):  # type: ignore[misc]
    """Trains a learner on one experience after another, beside what it remembers.

    Args:
        learner: how batches are made and what they cost.
        plan: steps and learning rate, the same for each experience.
        rng: draws batches and seeds what torch draws by itself (dropout).
        replay: exemplars whose `class_ids` are outputs of the head; they join every experience.
        device: where to compute.
        progress: told of every step.
        resumption: where to write training down, for an experience that takes long.
    """

    def __init__(
        self,
        *,
        learner: Any,
        plan: TrainingPlan,
        rng: np.random.Generator,
        replay: Exemplars | None = None,
        device: str = "cpu",
        progress: Progress | None = None,
        resumption: Resumption | None = None,
    ) -> None:
        super().__init__(model=learner, device=device, plugins=[])
        self.learner: Any = learner
        self.plan = plan
        self.rng = rng
        self.replay = replay
        self.progress = progress
        self.resumption = resumption

    def _train_exp(self, experience: Any, eval_streams: Any, **_: Any) -> None:
        faces = self._faces(experience)
        parameters = [weight for weight in self.learner.parameters() if weight.requires_grad]
        optimiser, schedule = _optimiser(parameters, self.plan)
        self.learner.to(memory_format=torch.channels_last).train()
        with seeded(int(self.rng.integers(2**31))):
            training = Training(self.learner, optimiser, schedule)
            done = 0 if self.resumption is None else training.resume(self.resumption)
            in_bfloat16 = self.plan.mixed_precision and is_fast_in_bfloat16(self.device)
            batches = self._batches(faces, done)
            batch = next(batches, None)
            while batch is not None:
                with torch.autocast(self.device.type, torch.bfloat16, enabled=in_bfloat16):
                    losses = self.learner.losses(batch)
                optimiser.zero_grad(set_to_none=True)
                costs = torch.stack(list(losses.values()))
                costs.sum().backward()  # type: ignore[no-untyped-call]
                if self.plan.decay is None:
                    nn.utils.clip_grad_norm_(parameters, self.plan.largest_gradient)
                optimiser.step()
                schedule.step()
                done += 1
                # Gathered while a GPU still computes, before anybody asks it for numbers.
                batch = next(batches, None)
                if self.resumption is not None and done % self.resumption.every == 0:
                    training.save(self.resumption, done)
                if self.progress is not None:
                    # All at once: each number that is asked for makes a GPU finish first.
                    named = dict(zip(losses, costs.detach().tolist(), strict=True))
                    self.progress(done, self.plan.steps, named)
        self.learner.eval()

    def _batches(self, faces: Any, done: int) -> Iterator[Batch]:
        """Yield the batches that are left, on the device; faces are read when their batch is due."""
        targets = np.array(list(faces.targets), np.int64)
        rows_of = islice(self.learner.batches(targets, self.rng), done, self.plan.steps)
        for step, rows in enumerate(rows_of, start=done):
            images, labels = pixels(faces, rows.tolist()), torch.from_numpy(targets[rows])
            yield Batch(_moved(images, self.device), _moved(labels, self.device), step / self.plan.steps)

    def _faces(self, experience: Any) -> Any:
        """Return the dataset of the experience, with the memory behind it."""
        if self.replay is None or not len(self.replay):
            return experience.dataset
        return joined(experience.dataset, torch.from_numpy(self.replay.images), self.replay.class_ids)


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; a GPU takes it from pinned memory, and nobody waits for it."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def _optimiser(
    parameters: list[nn.Parameter], plan: TrainingPlan
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    if plan.decay is not None:
        adam = torch.optim.Adam(parameters, plan.learning_rate, weight_decay=plan.weight_decay)
        every, factor = plan.decay
        return adam, torch.optim.lr_scheduler.StepLR(adam, every, factor)
    optimiser = torch.optim.AdamW(parameters, weight_decay=plan.weight_decay)
    # A rise shorter than two steps would be no rise.
    rise = max(0.2, min(0.9, 2 / plan.steps))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, plan.learning_rate, total_steps=plan.steps, pct_start=rise
    )
    return optimiser, schedule


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """Say whether the device computes bfloat16 in hardware; emulated, it is slower than float32."""
    if device.type == "cuda":
        supported: bool = torch.cuda.is_bf16_supported(including_emulation=False)
        return supported
    if device.type != "cpu":
        return False
    capability = torch.backends.cpu.get_cpu_capability()
    return capability == "AVX512" and torch.cpu._is_avx512_bf16_supported()

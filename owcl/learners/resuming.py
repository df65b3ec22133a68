"""Training that was interrupted goes on where it was: all that the next step depends on, in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from owcl.errors import BadInput, Conflict

FACTS = "facts"


@dataclass(frozen=True)
class Resumption:
    """Where training is written down."""

    path: Path
    """A `.safetensors` file."""
    every: int
    """Steps between two writings."""
    run: Mapping[str, Any]
    """What is trained, as plain values; a file of another run is refused."""


@dataclass(frozen=True)
class Training:
    """What changes from one step to the next, beside the random numbers that torch draws by itself."""

    learner: nn.Module
    """With its own generator as `rng`; what it learns by itself is a buffer."""
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler

    def save(self, place: Resumption, step: int) -> None:
        """Write everything after so many steps; it is there as a whole or not at all."""
        tensors = {f"learner.{name}": tensor for name, tensor in self.learner.state_dict().items()}
        kept = self.optimiser.state_dict()
        for row, values in kept["state"].items():
            tensors |= {f"optimiser.{row}.{name}": value for name, value in values.items()}
        tensors |= {f"random.{name}": state for name, state in self._random().items()}
        facts = {
            "step": step,
            "run": dict(place.run),
            "groups": kept["param_groups"],
            "schedule": self.schedule.state_dict(),
        }
        place.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.path.with_suffix(".new")
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, fresh, {FACTS: json.dumps(facts)})
        os.replace(fresh, place.path)

    def resume(self, place: Resumption) -> int:
        """Go back to what was written, and return after how many steps that was; 0 if nothing was.

        Raises:
            Conflict: if it is of another run.
            BadInput: if the file is damaged.
        """
        if not place.path.exists():
            return 0
        tensors, facts = _read(place.path)
        run = json.loads(json.dumps(dict(place.run)))
        if facts["run"] != run:
            changed = sorted(name for name in run | facts["run"] if run.get(name) != facts["run"].get(name))
            raise Conflict(
                f"{place.path}: this training began with other settings ({', '.join(changed)}). Run it as it "
                "began, or delete the file to start anew."
            )
        self.learner.load_state_dict(_under(tensors, "learner."))
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimiser.").items():
            row, _, quantity = name.partition(".")
            state.setdefault(int(row), {})[quantity] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": facts["groups"]})
        self.schedule.load_state_dict(facts["schedule"])
        self._draw_from(_under(tensors, "random."))
        step: int = facts["step"]
        return step

    def _random(self) -> dict[str, Tensor]:
        states = {"torch": torch.get_rng_state(), "learner": self._rng.get_state()}
        return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})

    def _draw_from(self, states: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(states["torch"])
        self._rng.set_state(states["learner"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])

    @property
    def _rng(self) -> torch.Generator:
        rng = self.learner.rng
        assert isinstance(rng, torch.Generator)  # Every learner draws from one.
        return rng


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            facts: dict[str, Any] = json.loads(file.metadata()[FACTS])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise BadInput(
            f"{path}: the interrupted training cannot be read: {error}. Delete the file to start anew."
        ) from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

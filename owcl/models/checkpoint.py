"""Checkpoints: tensors as safetensors and a description as JSON, never a pickle."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from owcl.errors import BadInput
from owcl.models.backbones import build_backbone
from owcl.models.network import Network

ARRAYS = "arrays."
"""Prefix under which arrays that belong to the model, but are not weights, are kept."""


def save(
    path: Path, network: Network, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a checkpoint; it is there as a whole or not at all, also when the process is killed.

    Args:
        path: a `.safetensors` file; the description goes beside it, as `.json`.
        network: whose weights to keep.
        description: plain values; must hold `backbone`.
        arrays: what else belongs to the model.
    """
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    tensors |= {
        ARRAYS + name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()
    }
    write_tensors(path, tensors, {**description, "num_classes": network.num_classes})


def write_tensors(path: Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write named tensors and, beside them, plain values that describe them, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        save_file(dict(tensors), fresh)
        fresh.with_suffix(".json").write_text(json.dumps(dict(description), indent=2), encoding="utf-8")
        _flush(fresh)
        os.replace(fresh.with_suffix(".json"), path.with_suffix(".json"))
        os.replace(fresh, path)


def load(path: Path) -> tuple[Network, dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `save` wrote: the network in evaluation mode, the description, the arrays.

    Raises:
        BadInput: if a file is missing or damaged, or is of another version's backbone.
    """
    tensors, description = read_tensors(path)
    arrays = {
        name.removeprefix(ARRAYS): tensors.pop(name).numpy()
        for name in list(tensors)
        if name.startswith(ARRAYS)
    }
    network = Network(build_backbone(description["backbone"]), description["num_classes"])
    load_weights(network, tensors, path)
    return network.eval(), description, arrays


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote.

    Raises:
        BadInput: if a file is missing or damaged.
    """
    try:
        description: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as error:
        raise BadInput(
            f"{path}: the model cannot be read: {error}. A safetensors file with its JSON beside it is "
            "expected. Restore both from a backup, or train again."
        ) from error
    return tensors, description


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a network the weights that were read from a file.

    Args:
        network: it is changed.
        tensors: by the names of its weights.
        path: where they came from, for the message.

    Raises:
        BadInput: if they are of a network of another shape.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise BadInput(
            f"{path}: the weights do not fit their backbone, which has another shape in this version. "
            "Weights of this version are expected. Train anew in a new workspace, or keep the version "
            "that made them."
        ) from error


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())

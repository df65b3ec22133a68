"""Replay of features without faces: every class a ball around its prototype."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def prototypes(features: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `(C, D)` mean directions of the classes of `(N, D)` unit features, in order of their ids."""
    means = np.stack(
        [features[labels == label].mean(axis=0, dtype=np.float64) for label in np.unique(labels)]
    )
    directions: NDArray[np.float64] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return directions


def shared_radius(features: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Return the spread of a class per dimension: the root of the mean over classes of `tr(cov) / D`."""
    spreads = [features[labels == label].var(axis=0, dtype=np.float64).mean() for label in np.unique(labels)]
    return float(np.sqrt(np.mean(spreads)))


def hardness(directions: NDArray[np.float64], temperature: float = 0.1) -> NDArray[np.float64]:
    """How often to replay each class: more often the more its prototype is like the others'.

    Args:
        directions: `(C, D)` of unit length, at least two.
        temperature: above 0; higher is more even.

    Returns:
        `(C,)` probabilities: the softmax of the mean cosines to the other prototypes.

    Source:
        Happy: A Debiased Learning Framework for Continual Generalized Category Discovery, NeurIPS 2024
        (arXiv 2410.06535).
    """
    cosines = directions @ directions.T
    mean_cosines = (cosines.sum(axis=1) - np.diag(cosines)) / (len(directions) - 1)
    weights = np.exp((mean_cosines - mean_cosines.max()) / temperature)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities


def sample_features(
    directions: NDArray[np.float64], radius: float, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw features from the balls around prototypes, classes by their hardness.

    Args:
        directions: `(C, D)` of unit length, at least two.
        radius: from `shared_radius`.
        count: B, features to draw.
        rng: draws classes and noise.

    Returns:
        `(B, D)` features, not of unit length, and the `(B,)` rows of their prototypes.
    """
    rows = rng.choice(len(directions), size=count, p=hardness(directions))
    noise = rng.standard_normal((count, directions.shape[1]))
    return (directions[rows] + radius * noise).astype(np.float32), rows

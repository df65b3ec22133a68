"""How many methods made some faces: the configured estimator, and a second look at each of its clusters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from owcl.config import NoveltyConfiguration
from owcl.faces.spectrum import spectra
from owcl.memory.replay import Exemplars
from owcl.models.embed import embed
from owcl.models.network import Network
from owcl.novelty.base import CountEstimate
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.registry import estimator_named
from owcl.novelty.counting.spectral_division import SpectralDivision


@dataclass(frozen=True)
class Seen:
    """Faces as counting sees them."""

    vectors: NDArray[np.float32]
    """`(N, D)` embeddings."""
    spectra: NDArray[np.float32]
    """`(N, F)`."""


class Counting:
    """Counts on the scale that the registered classes set.

    Args:
        settings: name the estimator and the smallest class.
        network: frozen.
        reference: remembered faces of the registered classes, at least two of one.
        false_share: share of a pool that false alarms may make.
    """

    def __init__(
        self, settings: NoveltyConfiguration, network: Network, reference: Exemplars, false_share: float
    ) -> None:
        self.settings = settings
        self.network = network
        self.reference = reference
        self.false_share = false_share
        self.registered = self.seen(reference.images)

    def without(self, class_id: int) -> Counting:
        """Return the same on the scale of the other classes: one that is doubted does not measure itself."""
        others = self.reference.class_ids != class_id
        found = copy.copy(self)
        found.reference = self.reference.take(others)
        found.registered = Seen(self.registered.vectors[others], self.registered.spectra[others])
        vars(found).pop("_division", None)
        return found

    def seen(self, images: NDArray[np.uint8]) -> Seen:
        """Embed `(N, 3, H, W)` faces, and take their spectra."""
        vectors, _ = embed(self.network, images)
        return Seen(vectors, spectra(images))

    def estimator(self, name: str) -> PartitionCount:
        """Return an estimator that has learned the registered classes."""
        counter = estimator_named(name)(self.settings.smallest_class, self.false_share)
        return counter.fit(self.registered.vectors, self.reference.class_ids)

    def estimate(self, pool: Seen, rng: np.random.Generator) -> CountEstimate:
        """Count and cluster a pool by embeddings, with the configured estimator."""
        return self.estimator(self.settings.count).estimate(pool.vectors, rng)

    def divided(
        self,
        estimate: CountEstimate,
        pool: Seen,
        rng: np.random.Generator,
        whole: frozenset[int] = frozenset(),
    ) -> CountEstimate:
        """Divide clusters that are two methods by their spectra, but for those that are to stay whole."""
        if not estimate.value:
            return estimate
        smallest = self.settings.smallest_class
        return self._division.divided(estimate, pool.vectors, pool.spectra, smallest, rng, whole)

    def by_class(self) -> Mapping[int, NDArray[np.float32]]:
        """Return the embeddings of the reference: class id → `(n, D)`."""
        ids = self.reference.class_ids
        return {one: self.registered.vectors[ids == one] for one in np.unique(ids).tolist()}

    @cached_property
    def _division(self) -> SpectralDivision:
        return SpectralDivision(self.registered.vectors, self.registered.spectra, self.reference.class_ids)

"""Estimators of the number of new classes, by name. A new one is a file of its own and a line here.

Its name goes into `owcl/config.py` as well, which checks `owcl.toml` without importing any of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from owcl.errors import NotFound
from owcl.novelty.counting.anchored_cut import AnchoredCutCount
from owcl.novelty.counting.base import PartitionCount
from owcl.novelty.counting.calibrated_cut import CalibratedCutCount
from owcl.novelty.counting.consensus import ConsensusCount
from owcl.novelty.counting.density import DensityCount
from owcl.novelty.counting.dp_means import DPMeansCount
from owcl.novelty.counting.first_neighbours import FirstNeighbourCount
from owcl.novelty.counting.kmeans_elbow import KMeansElbowCount
from owcl.novelty.counting.overclustering import OverclusteringCount
from owcl.novelty.counting.pruning import PruningCount
from owcl.novelty.counting.scaled_density import ScaledDensityCount
from owcl.novelty.counting.searched_density import SearchedDensityCount

ESTIMATORS: Mapping[str, type[PartitionCount]] = {
    "scaled_density": ScaledDensityCount,
    "consensus": ConsensusCount,
    "density": DensityCount,
    "calibrated_cut": CalibratedCutCount,
    "anchored_cut": AnchoredCutCount,
    "kmeans_elbow": KMeansElbowCount,
    "first_neighbours": FirstNeighbourCount,
    "dp_means": DPMeansCount,
    "pruning": PruningCount,
    "overclustering": OverclusteringCount,
    "searched_density": SearchedDensityCount,
}


def estimator_named(name: str) -> type[PartitionCount]:
    """Return a kind of estimator.

    Raises:
        NotFound: if there is none of that name.
    """
    if name not in ESTIMATORS:
        raise NotFound(f"estimator {name!r}: there is none. Choose one of {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[name]

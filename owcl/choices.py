"""What can be chosen by name, and where it is made: a new one is a file of its own and a line here.

Places are text, as those of the commands are, so that `owcl.toml` and `--help` know the names without
importing anything heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

LEARNERS = {
    "cpl": "owcl.learners.cpl:CPL",
    "mpsl": "owcl.learners.mpsl:MPSL",
    "cal": "owcl.learners.cal:CAL",
    "simgcd": "owcl.learners.simgcd:SimGCD",
    "happy": "owcl.learners.happy:Happy",
    "er": "owcl.learners.rehearsal:Rehearsal",
    "der": "owcl.learners.rehearsal:dark_rehearsal",
    "supervised": "owcl.learners.supervised:without_teacher",
}
"""What may learn discoveries: each is called with the network, the randomness of its views and `teacher`."""
SCORES = {
    "neighbours": "owcl.novelty.scores.neighbours:NearestNeighbourScore",
    "softmax": "owcl.novelty.scores.softmax:SoftmaxScore",
    "energy": "owcl.novelty.scores.energy:EnergyScore",
    "mahalanobis": "owcl.novelty.scores.mahalanobis:MahalanobisScore",
    "relative_mahalanobis": "owcl.novelty.scores.mahalanobis:relative_mahalanobis",
    "mixtures": "owcl.novelty.scores.mixtures:MixtureScore",
    "vim": "owcl.novelty.scores.vim:ViMScore",
    "ensemble": "owcl.novelty.scores.ensemble:default_ensemble",
}
"""Open-set scores: each is called with nothing."""
ESTIMATORS = {
    "scaled_density": "owcl.novelty.counting.scaled_density:ScaledDensityCount",
    "consensus": "owcl.novelty.counting.consensus:ConsensusCount",
    "density": "owcl.novelty.counting.density:DensityCount",
    "calibrated_cut": "owcl.novelty.counting.calibrated_cut:CalibratedCutCount",
    "anchored_cut": "owcl.novelty.counting.anchored_cut:AnchoredCutCount",
    "kmeans_elbow": "owcl.novelty.counting.kmeans_elbow:KMeansElbowCount",
    "first_neighbours": "owcl.novelty.counting.first_neighbours:FirstNeighbourCount",
    "dp_means": "owcl.novelty.counting.dp_means:DPMeansCount",
    "pruning": "owcl.novelty.counting.pruning:PruningCount",
    "overclustering": "owcl.novelty.counting.overclustering:OverclusteringCount",
    "searched_density": "owcl.novelty.counting.searched_density:SearchedDensityCount",
}
"""What counts new methods: each is a `PartitionCount`."""


def made_at(place: str) -> Any:
    """Import what a place names, `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)

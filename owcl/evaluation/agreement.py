"""How well a partition agrees with the truth, corrected for chance and not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

from owcl.types import UNKNOWN

Ids = NDArray[np.int64]


def agreement(truth: Ids, predicted: Ids) -> dict[str, float]:
    """Return NMI and AMI (arithmetic mean) and ARI of two `(N,)` partitions; -1 counts as one cluster.

    Prefer AMI: NMI rewards fragmentation. All are NaN where there is no face.

    Source:
        Vinh, Epps and Bailey, Information theoretic measures for clusterings comparison, JMLR 2010 (AMI);
        Hubert and Arabie, Comparing partitions, Journal of Classification, 1985 (ARI).
    """
    if not len(truth):
        return dict.fromkeys(("nmi", "ami", "ari"), math.nan)
    return {
        "nmi": float(normalized_mutual_info_score(truth, predicted)),
        "ami": float(adjusted_mutual_info_score(truth, predicted)),
        "ari": float(adjusted_rand_score(truth, predicted)),
    }


def agreement_with_noise(truth: Ids, predicted: Ids) -> dict[str, float]:
    """Return coverage, and AMI and ARI with noise (-1) left out, as one cluster, and as singletons.

    The covered faces alone would pay for refusing, so all three are given.
    """
    covered = predicted != UNKNOWN
    singletons = np.where(covered, predicted, predicted.max(initial=0) + 1 + np.arange(len(predicted)))
    versions = {
        "covered": (truth[covered], predicted[covered]),
        "one_cluster": (truth, predicted),
        "singletons": (truth, singletons),
    }
    figures = {"coverage": float(covered.mean()) if len(covered) else math.nan}
    for name, (faces, partition) in versions.items():
        found = agreement(faces, partition)
        figures |= {f"ami_{name}": found["ami"], f"ari_{name}": found["ari"]}
    return figures

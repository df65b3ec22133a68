"""Tables of results: methods by columns, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

COLUMNS = (
    "id_acc_all",
    "id_acc_novel",
    "acc_known",
    "acc_all_joint",
    "acc_novel_joint",
    "acc_novel_own",
    "ami",
    "ari",
    "forget_labelled",
    "forget_seen",
    "forgetting",
    "backward_transfer",
    "discovery_mean",
    "count_mae",
    "false_new",
    "discovery_f1",
    "latency_faces",
    "persistence",
    "swaps",
    "auroc",
    "seconds_per_experience",
)
"""What is said of each method, in the order of the table."""
NOT_DEFINED = "\N{EN DASH}"
TWO_DECIMALS = frozenset({"nmi", "ami", "ari", "auroc", "aupr", "oscr", "count_mae"})
"""Columns whose figures are about one; the others are percentages, numbers or seconds."""


def summary(
    figures: Mapping[str, Mapping[str, Sequence[float | None]]], columns: Sequence[str]
) -> list[list[str]]:
    """Return one row a method: its name, then `mean ± standard deviation` of each column.

    The deviation is that of a sample (over n - 1), and left out where there is one seed.

    Args:
        figures: method → column → one value a seed, none or NaN where it is not defined.
        columns: in the order wanted.
    """
    return [
        [method, *(_cell(values.get(column, ()), 1 + (column in TWO_DECIMALS)) for column in columns)]
        for method, values in figures.items()
    ]


def _cell(values: Sequence[float | None], decimals: int) -> str:
    present = [value for value in values if value is not None and not np.isnan(value)]
    if not present:
        return NOT_DEFINED
    mean = f"{np.mean(present):.{decimals}f}"
    return mean if len(present) == 1 else f"{mean} ± {np.std(present, ddof=1):.{decimals}f}"

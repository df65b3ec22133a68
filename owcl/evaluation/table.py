"""Tables of results: methods by columns, mean and spread over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def summary(
    figures: Mapping[str, Mapping[str, Sequence[float | None]]], columns: Sequence[str]
) -> list[list[str]]:
    """Return one row a method: its name, then `mean ± standard deviation` of each column.

    Args:
        figures: method → column → one value a seed, none or NaN where it is not defined.
        columns: in the order wanted.
    """
    return [
        [method, *(_cell(values.get(column, ())) for column in columns)] for method, values in figures.items()
    ]


def _cell(values: Sequence[float | None]) -> str:
    present = [value for value in values if value is not None and not np.isnan(value)]
    if not present:
        return "–"
    mean = f"{np.mean(present):.1f}"
    return mean if len(present) == 1 else f"{mean} ± {np.std(present, ddof=1):.1f}"

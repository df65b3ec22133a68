"""The hidden truth of a scenario: for evaluation alone. What learns cannot import this module."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class AnswerKey:
    """Who made which face, and when each method first arrives."""

    method_of: Mapping[Path, str]
    methods: tuple[str, ...]
    """Known ones first, then in order of arrival; their positions are the method numbers."""
    arrivals: tuple[tuple[str, ...], ...]
    """Methods that arrive with each experience; those of experience 0 are the known ones."""
    families: Mapping[str, str]

    def numbers(self, paths: Iterable[Path]) -> NDArray[np.int64]:
        """Return the `(N,)` method numbers of faces."""
        number = {method: index for index, method in enumerate(self.methods)}
        return np.array([number[self.method_of[path]] for path in paths], np.int64)

    def arrived(self, experience: int) -> list[frozenset[int]]:
        """Return the method numbers that arrived with each experience up to the one given."""
        number = {method: index for index, method in enumerate(self.methods)}
        return [
            frozenset(number[method] for method in methods) for methods in self.arrivals[: experience + 1]
        ]

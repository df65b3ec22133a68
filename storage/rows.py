"""Rows in and out: ids as arrays, long lists in pieces, the id of a new row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sqlalchemy import Connection, insert

from storage.schema import Table

# SQLite takes at most 32,766 parameters in one statement.
_BATCH = 10_000


def insert_one(transaction: Connection, table: type[Table], row: Mapping[str, Any]) -> int:
    """Add a row and return the id that the database gave it."""
    key = transaction.execute(insert(table).values(dict(row))).inserted_primary_key
    assert key is not None
    return int(key[0])


def batches(ids: Iterable[int] | NDArray[np.int64]) -> Iterator[list[int]]:
    """Yield the ids in lists that fit into one statement.

    Example:
        >>> [len(batch) for batch in batches(range(25_000))]
        [10000, 10000, 5000]
    """
    whole = np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64)
    for start in range(0, len(whole), _BATCH):
        yield whole[start : start + _BATCH].tolist()


def as_columns(rows: Iterable[Sequence[Any]], *kinds: DTypeLike) -> tuple[NDArray[Any], ...]:
    """Return the columns of rows as arrays of `kinds`.

    Some rows are read at a time: a million of them, each an object, would take hundreds of megabytes.

    Example:
        >>> as_columns([(1, 0.5), (2, 0.25)], np.int64, np.float64)
        (array([1, 2]), array([0.5 , 0.25]))
    """
    parts: list[list[NDArray[Any]]] = [[np.empty(0, kind)] for kind in kinds]
    ahead = iter(rows)
    while some := list(islice(ahead, _BATCH)):
        for part, kind, values in zip(parts, kinds, zip(*some, strict=True), strict=True):
            part.append(np.array(values, kind))
    return tuple(np.concatenate(part) for part in parts)


def id_array(ids: Iterable[int]) -> NDArray[np.int64]:
    """Return `(N,)` ids as an array, also when there are none."""
    return np.fromiter(ids, dtype=np.int64)

"""Embeddings: the vectors of faces, apart for every model version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select

from owcl.errors import BadInput, NotFound
from owcl.types import Embeddings
from storage.rows import batches, id_array
from storage.schema import EmbeddingRow, FaceRow

_FLOAT = np.dtype("<f4")


def write(transaction: Connection, embeddings: Embeddings) -> None:
    """Keep the vectors of faces; a face that has one under this model version keeps the one it has.

    Raises:
        BadInput: if there is not one row for each face, or a value is not finite.
    """
    _check(embeddings)
    present: set[int] = set()
    for batch in batches(embeddings.face_ids):
        here = EmbeddingRow.face_id.in_(batch), EmbeddingRow.model_version == embeddings.model_version
        present.update(transaction.execute(select(EmbeddingRow.face_id).where(*here)).scalars())
    vectors = np.ascontiguousarray(embeddings.vectors, dtype=_FLOAT)
    rows = [
        {"face_id": face_id, "model_version": embeddings.model_version, "vector": vector.tobytes()}
        for face_id, vector in zip(embeddings.face_ids.tolist(), vectors, strict=True)
        if face_id not in present
    ]
    if rows:
        transaction.execute(insert(EmbeddingRow), rows)


def read(
    transaction: Connection, model_version: int, face_ids: NDArray[np.int64] | None = None
) -> Embeddings:
    """Return the vectors of `face_ids` in their order, or of all faces that have one, by ascending id.

    Raises:
        NotFound: if a face that was asked for has no embedding under this model version.
    """
    wanted = of_version(transaction, model_version) if face_ids is None else np.asarray(face_ids, np.int64)
    ascending = np.unique(wanted)
    vectors = np.empty((0, 0), dtype=np.float32)
    filled = 0
    for batch in batches(ascending):
        part = _vectors(transaction, model_version, batch)
        if filled == 0:
            vectors = np.empty((ascending.size, part.shape[1]), dtype=np.float32)
        vectors[filled : filled + len(part)] = part
        filled += len(part)
    if wanted.size == ascending.size and (wanted == ascending).all():
        return Embeddings(wanted, vectors, model_version)
    return Embeddings(wanted, vectors[np.searchsorted(ascending, wanted)], model_version)


def missing(transaction: Connection, model_version: int, experience: int | None = None) -> NDArray[np.int64]:
    """Return the `(N,)` ids of faces, of one experience or of all, that have no embedding yet."""
    embedded = select(EmbeddingRow.face_id).where(
        EmbeddingRow.face_id == FaceRow.id, EmbeddingRow.model_version == model_version
    )
    query = select(FaceRow.id).where(~embedded.exists()).order_by(FaceRow.id)
    if experience is not None:
        query = query.where(FaceRow.experience == experience)
    return id_array(transaction.execute(query).scalars())


def of_version(transaction: Connection, model_version: int) -> NDArray[np.int64]:
    """Return the `(N,)` ids of the faces that have an embedding under a model version, ascending."""
    query = select(EmbeddingRow.face_id).where(EmbeddingRow.model_version == model_version)
    return id_array(transaction.execute(query.order_by(EmbeddingRow.face_id)).scalars())


def count(transaction: Connection, model_version: int) -> int:
    """Return how many faces have an embedding under a model version."""
    query = select(func.count()).select_from(EmbeddingRow).where(EmbeddingRow.model_version == model_version)
    return transaction.execute(query).scalar_one()


def _vectors(transaction: Connection, model_version: int, face_ids: list[int]) -> NDArray[np.float32]:
    """Return the vectors of ascending, distinct ids, one row for each."""
    query = (
        select(EmbeddingRow.face_id, EmbeddingRow.vector)
        .where(EmbeddingRow.model_version == model_version, EmbeddingRow.face_id.in_(face_ids))
        .order_by(EmbeddingRow.face_id)
    )
    rows = transaction.execute(query).all()
    if len(rows) < len(face_ids):
        absent = sorted(set(face_ids) - {row.face_id for row in rows})
        raise NotFound(
            f"embeddings: faces without one under model version {model_version}, the first of them "
            f"face {absent[0]}. Embed first what is missing."
        )
    joined = np.frombuffer(b"".join(row.vector for row in rows), dtype=_FLOAT)
    return joined.reshape(len(rows), -1).astype(np.float32, copy=False)


def _check(embeddings: Embeddings) -> None:
    shape, expected = embeddings.vectors.shape, embeddings.face_ids.size
    if len(shape) != 2 or shape[0] != expected:
        raise BadInput(
            f"embeddings: {expected} face ids but vectors of shape {shape}. One row is expected for each "
            "face id."
        )
    if not np.isfinite(embeddings.vectors).all():
        bad = ~np.isfinite(embeddings.vectors).all(axis=1)
        raise BadInput(
            f"embeddings: {bad.sum()} of {expected} vectors hold NaN or infinity, the first that of face "
            f"{embeddings.face_ids[bad][0]}. Finite numbers are expected. Look at the model's weights."
        )

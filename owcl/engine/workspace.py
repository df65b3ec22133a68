"""The workspace: a folder with a configuration, a database and models, opened for a step of work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from owcl.config import FILE_NAME, Configuration
from owcl.errors import BadInput, Conflict
from owcl.types import ModelVersion
from storage import classes, models
from storage import faces as stored_faces
from storage.store import Store

if TYPE_CHECKING:
    from owcl.engine.answer import Answer
    from owcl.faces.crop import CropCache, FaceDetector
    from owcl.faces.load import Limits, LoadedFace
    from owcl.types import Quarantined

logger = logging.getLogger(__name__)

DATABASE = "owcl.db"
MODELS = "models"
TELLING_LETTERS = 6
"""Of a purpose, by which its randomness is told from that of others; more would change what was measured."""
Report = Callable[[str, int, int | None], None]
"""Told what is being done, how much of it is done, and how much there is, where that is known."""


def silent(what: str, done: int, total: int | None) -> None:
    """Report nothing."""


class Workspace:
    """An open workspace; a context manager.

    Args:
        root: its folder.
        configuration: as read from `owcl.toml`.
        store: its database.
    """

    def __init__(self, root: Path, configuration: Configuration, store: Store) -> None:
        self.root = root
        self.configuration = configuration
        self.store = store

    @classmethod
    def create(cls, root: Path, configuration: Configuration | None = None) -> Self:
        """Make a workspace in a folder, which may hold other things.

        Raises:
            Conflict: if there is one already.
        """
        if (root / FILE_NAME).exists():
            raise Conflict(
                f"{root}: there is a workspace already. An empty place is expected. Choose another folder, "
                "or go on with this one."
            )
        root.mkdir(parents=True, exist_ok=True)
        chosen = Configuration() if configuration is None else configuration
        store = Store.open(root / DATABASE)
        # Last, so that a folder with a configuration always has a database.
        chosen.write(root / FILE_NAME)
        return cls(root, chosen, store)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Open a workspace.

        Raises:
            BadInput: if there is none, or its database is gone.
        """
        if not (root / FILE_NAME).exists():
            raise BadInput(
                f"{root}: there is no workspace here, since there is no {FILE_NAME}. Make one with "
                f"`owcl init {root}`, or name another with --workspace."
            )
        if not (root / DATABASE).exists():
            raise BadInput(
                f"{root / DATABASE}: the database of the workspace is gone. Put it back, or make a workspace "
                "elsewhere with `owcl init`."
            )
        return cls(root, Configuration.read(root / FILE_NAME), Store.open(root / DATABASE))

    def copy_to(self, root: Path, configuration: Configuration) -> None:
        """Make a workspace of what is here now, to go on from with another configuration.

        Faces stay where they were ingested from.
        """
        shutil.copytree(self.root / MODELS, root / MODELS, dirs_exist_ok=True)
        self.store.copy_to(root / DATABASE)
        # Last, as in `create`.
        configuration.write(root / FILE_NAME)

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rng(self, purpose: str, number: int) -> np.random.Generator:
        """Return the randomness of one step of work: the same each time that it is run.

        Args:
            purpose: what is drawn; no two of them begin with the same `TELLING_LETTERS`.
            number: of the experience, or of the class or version that the step is about.
        """
        told = int.from_bytes(purpose.encode()[:TELLING_LETTERS].ljust(TELLING_LETTERS), "big")
        return np.random.default_rng(np.random.SeedSequence([self.configuration.seed, told, number]))

    def answer(self, earlier: ModelVersion | None = None) -> Answer:
        """Load the model that answers today, or an earlier version; it follows what operators decided since.

        Raises:
            BadInput: if none was trained yet, or its file is gone.
        """
        from owcl.engine.answer import Answer

        with self.store.reading() as transaction:
            version = earlier or models.answering(transaction)
            moves = _moves(transaction)
        if version is None:
            raise BadInput(
                f"{self.root}: there is no trained model yet. Labelled faces of the methods that you know "
                "come first: `owcl train FOLDER`, where FOLDER/<method>/ holds each method's faces."
            )
        answer = Answer.load(self.root / version.weights, version)
        answer.follow(moves)
        return answer

    def next_weights(self) -> str:
        """Return where the weights of the next model version go: a file of its own, so that none is lost."""
        with self.store.reading() as transaction:
            return f"{MODELS}/version-{models.next_id(transaction):04d}.safetensors"

    def limits(self) -> Limits:
        """Return the limits of files that are read."""
        from owcl.faces.load import Limits

        settings = self.configuration.faces
        return Limits(
            max_bytes=int(settings.largest_megabytes * 1e6), max_pixels=int(settings.largest_megapixels * 1e6)
        )

    def detector(self) -> tuple[FaceDetector | None, CropCache | None]:
        """Return the face detector and its cache of crops, where faces are to be found first."""
        if not self.configuration.faces.detect:
            return None, None
        from owcl.faces.crop import CropCache, HaarDetector

        return HaarDetector(), CropCache(self.root / "cache" / "crops")

    def loaded(self, sources: Iterable[str | Quarantined]) -> Iterator[LoadedFace | Quarantined]:
        """Yield every source as a face of the configured size or with the reason why it is none, in order."""
        from owcl.faces.load import load_many

        settings = self.configuration.faces
        detector, cache = self.detector()
        return load_many(sources, settings.image_size, self.limits(), settings.workers, detector, cache)

    def pixels(self, face_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read faces again from where they came.

        Args:
            face_ids: `(N,)`.

        Returns:
            `(M,)` ids of the faces whose files are still there and unchanged, in the given order, and
            their `(M, 3, S, S)` images.
        """
        from owcl.faces.load import LoadedFace

        with self.store.reading() as transaction:
            faces = stored_faces.by_ids(transaction, face_ids)
        size = self.configuration.faces.image_size
        images = np.empty((len(faces), 3, size, size), np.uint8)
        present: list[int] = []
        for face, found in zip(faces, self.loaded(face.source for face in faces), strict=True):
            if isinstance(found, LoadedFace) and found.sha256 == face.sha256:
                images[len(present)] = found.pixels.transpose(2, 0, 1)
                present.append(face.id)
        if len(present) < len(faces):
            logger.warning(
                "%d of %d faces are no longer where they were ingested from, and are left out",
                len(faces) - len(present),
                len(faces),
            )
        return np.array(present, np.int64), images[: len(present)]


def _moves(transaction: Connection) -> dict[int, int | None]:
    """Return the classes that live no longer, with the live class that each stands for now, if any."""
    live = {entry.id for entry in classes.live(transaction)}
    gone = [entry.id for entry in classes.everything(transaction) if entry.id not in live]
    resolved = {class_id: classes.resolve(transaction, class_id) for class_id in gone}
    return {class_id: target if target in live else None for class_id, target in resolved.items()}

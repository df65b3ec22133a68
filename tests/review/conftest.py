"""Workspaces that operators could have: faces in an archive, classes, and what a model said of each face."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.testclient import TestClient

from owcl.config import Configuration, FacesConfiguration
from owcl.engine.workspace import Workspace
from owcl.review.app import Review
from owcl.review.security import Door
from owcl.types import Attributions, Embeddings
from storage import attributions, classes, embeddings, experiences, faces, memberships, models

SIDE = 32


@contextmanager
def lab(root: Path, sizes: Sequence[int]) -> Iterator[Workspace]:
    """Open a workspace of class 1 `real` with the first size of faces, and provisional ones with the others.

    The last fifth of each provisional class is of it by the model's word alone.
    """
    total = sum(sizes)
    root.mkdir(parents=True, exist_ok=True)
    archive = root / "faces.zip"
    contents = _archive(archive, total)
    settings = Configuration(faces=FacesConfiguration(image_size=SIDE))
    with Workspace.create(root / "lab", settings) as workspace:
        rng = np.random.default_rng(0)
        with workspace.store.transaction() as transaction:
            experiences.begin(transaction, 0, labelled=True)
            experiences.begin(transaction, 1)
            rows = [
                faces.NewFace(sha256, f"{archive}::{number:06d}.png", (SIDE, SIDE), int(number >= sizes[0]))
                for number, sha256 in enumerate(contents)
            ]
            ids = faces.add_many(transaction, rows)
            version = models.add(transaction, "models/none.safetensors", {}, (1,), {})
            class_of = np.repeat(np.arange(1, len(sizes) + 1), sizes)
            for class_id, size in enumerate(sizes, start=1):
                mine = ids[class_of == class_id]
                if class_id == 1:
                    classes.create(transaction, "real", "known")
                    memberships.assign(transaction, mine, 1, memberships.Grounds("label"))
                else:
                    evidence = {"stability": 0.9, "nearest_class": 1, "size": size}
                    classes.create(transaction, birth=classes.Birth(1, evidence))
                    kept = mine[: size - size // 5]
                    memberships.assign(transaction, kept, class_id, memberships.Grounds("promotion"))
            centres = rng.normal(size=(len(sizes) + 1, 8))
            vectors = (centres[class_of] + 0.2 * rng.normal(size=(total, 8))).astype(np.float32)
            embeddings.write(transaction, Embeddings(ids, vectors, version))
            said = Attributions(ids, class_of, rng.uniform(0.3, 1, total), rng.uniform(0, 1, total), version)
            attributions.write(transaction, said)
            experiences.set_state(transaction, 1, "discovered")
        yield workspace


def _archive(path: Path, count: int) -> list[str]:
    """Write small images into an archive and return the digests of their bytes."""
    import hashlib

    digests = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            hue = (number * 37 % 256, number // 256 * 11 % 256, 128)
            image = Image.new("RGB", (SIDE, SIDE), hue)
            image.putpixel((number % SIDE, number // SIDE % SIDE), (255, 255, 255))
            buffer = io.BytesIO()
            image.save(buffer, "PNG", compress_level=1)
            digests.append(hashlib.sha256(buffer.getvalue()).hexdigest())
            archive.writestr(f"{number:06d}.png", buffer.getvalue())
    assert len(set(digests)) == count
    return digests


HOST = "testserver"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with lab(tmp_path, (30, 40, 24)) as opened:
        yield opened


@pytest.fixture
def door() -> Door:
    return Door(frozenset({HOST}))


@pytest.fixture
def client(workspace: Workspace, door: Door) -> Iterator[TestClient]:
    """A browser that has come in."""
    application = Review(workspace, door, "anna").application()
    with TestClient(application, base_url=f"http://{HOST}", follow_redirects=False) as opened:
        opened.cookies.set(door.session_cookie, door.session)
        yield opened


@pytest.fixture
def post(client: TestClient, door: Door) -> Callable[..., object]:
    """Send a form that the page itself has made."""

    def sent(path: str, **fields: object) -> object:
        return client.post(
            path, data={"csrf": door.csrf, **{key: str(value) for key, value in fields.items()}}
        )

    return sent


@contextmanager
def served(workspace: Workspace, who: str = "anna") -> Iterator[str]:
    """Serve the page of a workspace on a free port of this machine, and give the address that opens it."""
    from owcl.review.serve import listening_at

    with listening_at("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        door = Door(frozenset({f"127.0.0.1:{port}"}))
        application = Review(workspace, door, who).application()
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/?token={door.token}"
        finally:
            server.should_exit = True
            thread.join(10)

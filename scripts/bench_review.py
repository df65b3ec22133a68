"""How long does the server take for each review page, with many faces in the store?

python scripts/bench_review.py [--faces 100000]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import platform
import statistics
import tempfile
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from starlette.testclient import TestClient

from owcl.config import Configuration, FacesConfiguration
from owcl.engine import registry
from owcl.engine.workspace import Workspace
from owcl.review.app import Review
from owcl.review.security import Door
from owcl.types import Attributions, Cluster, Embeddings
from storage import attributions, classes, clusters, embeddings, experiences, faces, memberships, models

SEED = 0
CLASSES = 20
PICTURES = 640
"""Faces whose files are there; the others are only in the store."""
TIMES = 15
LIMIT = 0.150
"""Seconds, of the median."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000, help="in the store")
    count = parser.parse_args().faces
    print(f"machine: {platform.machine()}, {psutil.cpu_count()} cores; Python {platform.python_version()}")
    print(
        f"starlette {version('starlette')}, sqlalchemy {version('sqlalchemy')}, seed {SEED}, {count:,} faces"
    )
    with tempfile.TemporaryDirectory() as folder, _filled(Path(folder), count) as workspace:
        door = Door(frozenset({"testserver"}))
        with TestClient(Review(workspace, door, "bench").application()) as client:
            client.cookies.set(door.session_cookie, door.session)
            _wait_for_map(client)
            for path in (
                "/",
                "/classes/2",
                "/classes/2/faces.json",
                "/map",
                "/map.json",
                "/history",
                "/overview",
            ):
                _measure(client, path, path)
            sprites = [
                f"/sprite.jpg?ids={','.join(str(face_id) for face_id in range(first, first + 64))}"
                for first in range(1, PICTURES, 64)
            ]
            _report("64 thumbnails, each time others", [_seconds(client, path) for path in sprites])
            _report("/ after a decision", [_after_decision(workspace, client, turn) for turn in range(TIMES)])


def _measure(client: TestClient, label: str, path: str) -> None:
    first = _seconds(client, path)
    _report(label, [_seconds(client, path) for _ in range(TIMES)], first)


def _report(label: str, seconds: list[float], first: float | None = None) -> None:
    median = statistics.median(seconds)
    opened = "" if first is None else f", first time {1000 * first:.0f} ms"
    verdict = "within" if median <= LIMIT else "OVER"
    print(f"{label}: median {1000 * median:.0f} ms{opened} ({verdict} {1000 * LIMIT:.0f} ms)", flush=True)


def _seconds(client: TestClient, path: str) -> float:
    began = time.perf_counter()
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return time.perf_counter() - began


def _after_decision(workspace: Workspace, client: TestClient, turn: int) -> float:
    registry.name(workspace.store, "2", f"name {turn}", "bench")
    return _seconds(client, "/")


def _wait_for_map(client: TestClient) -> None:
    began = time.perf_counter()
    while client.get("/map.json").status_code == 202:
        time.sleep(0.5)
    print(f"placing the faces on the map, in the background: {time.perf_counter() - began:.1f} s", flush=True)


def _filled(root: Path, count: int) -> Workspace:
    rng = np.random.default_rng(SEED)
    digests = _pictures(root / "faces.zip", rng)
    digests += [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count - len(digests))]
    workspace = Workspace.create(root / "lab", Configuration(faces=FacesConfiguration(image_size=64)))
    with workspace.store.transaction() as transaction:
        for index in range(5):
            experiences.begin(transaction, index, labelled=index == 0)
        rows = [
            faces.NewFace(digest, f"{root / 'faces.zip'}::{number:06d}.png", (64, 64), number * 5 // count)
            for number, digest in enumerate(digests)
        ]
        ids = faces.add_many(transaction, rows)
        model = models.add(transaction, "models/none.safetensors", {}, (1,), {})
        class_of = 1 + rng.integers(CLASSES, size=count)
        for class_id in range(1, CLASSES + 1):
            known = class_id <= CLASSES // 2
            classes.create(
                transaction,
                f"method {class_id}" if known else None,
                "known" if known else "provisional",
                birth=classes.Birth(1, {"stability": 0.9}),
            )
            mine = ids[class_of == class_id][: 400 if known else None]
            memberships.assign(transaction, mine, class_id, memberships.Grounds("promotion"))
        waiting = Cluster(ids[class_of == 1][400:], np.zeros(128, np.float32), 0.5)
        clusters.add(transaction, waiting, clusters.Sighting(4, model))
        vectors = rng.normal(size=(CLASSES + 1, 128))[class_of] + rng.normal(size=(count, 128))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        embeddings.write(transaction, Embeddings(ids, vectors.astype(np.float32), model))
        said = rng.uniform(0.3, 1, count), rng.uniform(0, 1, count)
        attributions.write(transaction, Attributions(ids, class_of, *said, model))
    return workspace


def _pictures(path: Path, rng: np.random.Generator) -> list[str]:
    digests = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(PICTURES):
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(buffer, "PNG")
            archive.writestr(f"{number:06d}.png", buffer.getvalue())
            digests.append(hashlib.sha256(buffer.getvalue()).hexdigest())
    return digests


if __name__ == "__main__":
    main()

"""`owcl doctor`: is everything here that owcl needs, and is the workspace sound?"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from owcl.config import FILE_NAME
from owcl.errors import OwclError

if TYPE_CHECKING:
    from owcl.engine.workspace import Workspace

LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "avalanche-lib",
    "river",
    "scikit-learn",
    "hdbscan",
    "sqlalchemy",
    "click",
)
"""Whose versions matter to what is found: the doctor looks for them, and a report names them."""
PACKAGES = ("owcl", "scenarios", "storage")
SMALLEST_DISK_GB = 1.0
"""Free space below which a long ingest is likely to stop."""


@dataclass(frozen=True)
class Check:
    """One line of the doctor's answer."""

    name: str
    ok: bool
    detail: str


def examine(root: Path) -> list[Check]:
    """Return what was found of this machine, the libraries, and the workspace in `root` if there is one."""
    return [*_machine(root), *_libraries(), *_workspace(root)]


def _machine(root: Path) -> Iterator[Check]:
    yield Check(
        "python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}"
    )
    present = next(folder for folder in [root.absolute(), *root.absolute().parents] if folder.exists())
    free = shutil.disk_usage(present).free / 1e9
    yield Check("free disk", free >= SMALLEST_DISK_GB, f"{free:.1f} GB at {present}")


def _libraries() -> Iterator[Check]:
    for library in LIBRARIES:
        yield _checked(f"library {library}", partial(metadata.version, library))
    for package in PACKAGES:
        yield _checked(f"package {package}", partial(_place, package))
    yield _checked("torch and torchvision match", _same_build)
    yield _checked("device", _device)
    yield _checked("faiss searches", _nearest)


def _checked(name: str, look: Callable[[], str]) -> Check:
    # A broken library may raise anything at import; what it raised is the finding.
    try:
        return Check(name, True, look())
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}")


def _place(package: str) -> str:
    """Both `storage` and `scenarios` are common names, so it matters which of them was found."""
    found = importlib.import_module(package)
    here = Path(__file__).parents[2]
    place = Path(str(found.__file__)).parent
    if place.parent != here:
        raise ImportError(
            f"it is imported from {place}, but owcl is in {here}. Rename or remove the other one"
        )
    return str(place)


def _same_build() -> str:
    import torch
    import torchvision

    builds = [
        version.partition("+")[2] or "default" for version in (torch.__version__, torchvision.__version__)
    ]
    if builds[0] != builds[1]:
        raise ImportError(
            f"torch is of build {builds[0]}, torchvision of build {builds[1]}. Install both from one index"
        )
    # An operator compiled for another torch fails only when it is used.
    torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    return f"torch {torch.__version__}, torchvision {torchvision.__version__}"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"cuda: {torch.cuda.get_device_name()}"
    return f"cpu, {torch.get_num_threads()} threads"


def _nearest() -> str:
    import faiss
    import numpy as np

    index = faiss.IndexFlatL2(2)
    index.add(np.eye(2, dtype=np.float32))
    _, nearest = index.search(np.array([[0.9, 0.1]], dtype=np.float32), 1)
    if nearest[0, 0] != 0:
        raise RuntimeError("it finds the wrong neighbour. Reinstall faiss-cpu")
    return f"faiss {faiss.__version__}"


def _workspace(root: Path) -> Iterator[Check]:
    if not (root / FILE_NAME).exists():
        yield Check("workspace", True, f"none in {root.absolute()}; `owcl init` makes one")
        return
    from owcl.engine.workspace import Workspace

    try:
        with Workspace.open(root) as workspace:
            complaints = workspace.store.check_integrity()
            writable = os.access(root, os.W_OK)
            yield Check("writable", writable, str(root) if writable else f"{root}: it can only be looked at")
            yield Check("database", not complaints, "; ".join(complaints[:5]) or "sound")
            yield _weights(workspace)
            yield Check("workspace", True, _counts(workspace))
    except OwclError as error:
        yield Check("workspace", False, str(error))


def _weights(workspace: Workspace) -> Check:
    from storage import models

    with workspace.store.reading() as transaction:
        version = models.answering(transaction)
    if version is None:
        return Check("model", True, "none yet; `owcl train` makes one")
    path = workspace.root / version.weights
    return Check(
        "model", path.exists(), f"version {version.id}, {'at' if path.exists() else 'missing:'} {path}"
    )


def _counts(workspace: Workspace) -> str:
    from storage import classes, experiences, faces, quarantine

    with workspace.store.reading() as transaction:
        faceless = len(faces.without_face(transaction))
        return (
            f"{faces.count(transaction)} faces, "
            f"{quarantine.count(transaction)} in quarantine, "
            f"{len(classes.live(transaction))} classes, "
            f"{len(experiences.everything(transaction))} experiences"
            f"{f'; no face was found in {faceless} images' if faceless else ''}"
        )

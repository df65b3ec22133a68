"""How fast is it? Each figure is a ratio to a limit that is measured in the same run.

python scripts/bench.py [--faces 20000]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from torch.nn import functional

from owcl.config import Configuration, TrainingConfiguration
from owcl.engine.ingest import ingest
from owcl.engine.train import train
from owcl.engine.workspace import Workspace
from owcl.faces.views import to_float, weak_view
from owcl.learners.base import UNLABELLED, Batch
from owcl.learners.ranking import Ranking
from owcl.learners.registry import LEARNERS
from owcl.learners.strategy import is_fast_in_bfloat16
from owcl.models.backbones import build_backbone
from owcl.models.embed import BATCH
from owcl.models.localiser import Localiser
from owcl.models.network import Network

SEED = 0
STEP_BATCH = 128
PORTIONS = 5
"""Of the faces to ingest, each between two measurements of the bare forward pass."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=20_000, help="faces of the memory measurement")
    count = parser.parse_args().faces
    print(f"machine: {platform.machine()}, {psutil.cpu_count()} cores, {torch.get_num_threads()} threads")
    print(f"Python {platform.python_version()}, torch {version('torch')}, seed {SEED}")
    _report("owcl --help / click import + 50 ms", _help_time(), "seconds, at most 1.5 click + 0.05")
    _report("CPL step / cross-entropy step", _step_ratio("cpl", 1), "at most 1.10")
    _report("MPSL step / step of two views", _step_ratio("mpsl", 2), "at most 1.35")
    _report("CAL step / step of two views", _step_ratio("cal", 2), "at most 1.10")
    _report("ranking step / its network's step", _ranking_ratio(), "at most 1.25")
    with tempfile.TemporaryDirectory() as folder:
        ratio, growth = _ingest(Path(folder), count)
    _report("ingest / bare forward pass", ratio, "at least 0.85")
    _report(f"memory from 1,000 to {count:,} faces", growth, "MB, less than 100")


def _report(what: str, value: float, wanted: str) -> None:
    print(f"{what}: {value:.3f} ({wanted})", flush=True)


def _help_time() -> float:
    """Return seconds of `owcl --help`; prints the limit beside it."""
    owcl = Path(sys.executable).with_name("owcl")
    click = _median(lambda: subprocess.run([sys.executable, "-c", "import click"], check=True), 9)
    print(f"  limit in this run: {1.5 * click + 0.05:.3f}")
    return _median(lambda: subprocess.run([owcl, "--help"], check=True, stdout=subprocess.DEVNULL), 9)


def _step_ratio(name: str, views: int) -> float:
    """Return the time of a learner's step over one of cross-entropy on as many views of the batch."""
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    network = Network(build_backbone(), 10).to(memory_format=torch.channels_last).train()
    images = torch.randint(0, 256, (STEP_BATCH, 3, 64, 64), dtype=torch.uint8, generator=rng)
    labels = torch.cat([torch.arange(64) % 10, torch.full((64,), UNLABELLED)])
    learner = LEARNERS[name](network, rng, None)

    def plain() -> torch.Tensor:
        batch = torch.cat([weak_view(images, rng) for _ in range(views)])
        logits = network(to_float(batch).contiguous(memory_format=torch.channels_last)).logits.float()
        return functional.cross_entropy(logits, labels.clamp_min(0).repeat(views))

    def own() -> torch.Tensor:
        return torch.stack(list(learner.losses(Batch(images, labels, 0.5)).values())).sum()

    return _ratio(learner, plain, own)


def _ranking_ratio() -> float:
    """Return the time of a ranking step over one of its network with cross-entropy on its logits."""
    torch.manual_seed(SEED)
    rng = torch.Generator().manual_seed(SEED)
    network = Localiser(build_backbone(), 5).to(memory_format=torch.channels_last).train()
    images = torch.randint(0, 256, (STEP_BATCH, 3, 64, 64), dtype=torch.uint8, generator=rng)
    labels = torch.randint(0, 326, (STEP_BATCH,), generator=rng)
    learner = Ranking(network, rng)

    def plain() -> torch.Tensor:
        batch = to_float(weak_view(images, rng)).contiguous(memory_format=torch.channels_last)
        found = network(batch)
        return functional.cross_entropy(found.logits, labels % 5) + 0 * found.patches.float().mean()

    def own() -> torch.Tensor:
        return torch.stack(list(learner.losses(Batch(images, labels, 0.5)).values())).sum()

    return _ratio(learner, plain, own)


def _ratio(
    learner: torch.nn.Module, plain: Callable[[], torch.Tensor], own: Callable[[], torch.Tensor]
) -> float:
    """Return the time of a step with one loss over that of a step with another."""
    optimiser = torch.optim.AdamW(learner.parameters())

    def step(losses: Callable[[], torch.Tensor]) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=is_fast_in_bfloat16(torch.device("cpu"))):
            total = losses()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        optimiser.step()

    # In turn, so that a busy moment of the machine meets both.
    ratios = []
    for _ in range(15):
        plain_seconds, own_seconds = _seconds(lambda: step(plain)), _seconds(lambda: step(own))
        ratios.append(own_seconds / plain_seconds)
    return statistics.median(ratios[3:])


def _ingest(folder: Path, count: int) -> tuple[float, float]:
    rng = np.random.default_rng(SEED)
    for method in ("real", "gan"):
        _write_faces(folder / "known" / method, 60, rng)
    _write_faces(folder / "first", 1_000, rng)
    for portion in range(PORTIONS):
        _write_faces(folder / f"rest-{portion}", (count - 1_000) // PORTIONS, rng)
    settings = Configuration(training=TrainingConfiguration(first_steps=4, pretext_faces=0))
    with Workspace.create(folder / "workspace", settings) as workspace:
        train(workspace, folder / "known")
        answer = workspace.answer()
        batch = torch.randint(0, 256, (BATCH, 3, 64, 64), dtype=torch.uint8)
        network = answer.network.eval()

        def bare() -> None:
            with torch.inference_mode():
                network.embed(to_float(batch).contiguous(memory_format=torch.channels_last))

        ingest(workspace, [str(folder / "first")])
        before = psutil.Process().memory_info().rss
        bare_rates, rates = [BATCH / _median(bare, 30)], []
        for portion in range(PORTIONS):
            result = ingest(workspace, [str(folder / f"rest-{portion}")])
            rates.append(result.new / result.seconds)
            bare_rates.append(BATCH / _median(bare, 30))
        growth = (psutil.Process().memory_info().rss - before) / 1e6
    ratios = [
        2 * rate / (earlier + later)
        for rate, earlier, later in zip(rates, bare_rates, bare_rates[1:], strict=False)
    ]
    print(
        f"  ingest {statistics.median(rates):.0f} faces a second, {min(ratios):.2f} to {max(ratios):.2f} of"
    )
    print(f"  the bare forward pass with {statistics.median(bare_rates):.0f} faces a second")
    return statistics.median(ratios), growth


def _write_faces(folder: Path, count: int, rng: np.random.Generator) -> None:
    """Write grey faces' worth of noise: as many bytes as a real 64-pixel crop has, or more."""
    folder.mkdir(parents=True)
    for number in range(count):
        smooth = rng.integers(0, 256, (17, 17), np.uint8)
        image = Image.fromarray(smooth).resize((64, 64), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:06d}.png")


def _median(action: Callable[[], object], times: int) -> float:
    return statistics.median(_seconds(action) for _ in range(times))


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

"""`owcl sequences`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import EXISTING_FOLDER, json_option


def _even(context: click.Context, parameter: click.Parameter, size: int) -> int:
    if size % 2:
        raise click.BadParameter(f"{size} is odd. An even number of pixels is expected.", context, parameter)
    return size


@click.command(cls=TaughtCommand)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "--faces", type=EXISTING_FOLDER, metavar="PHOTOGRAPHS", help="Faces to edit; else they are rendered."
)
@click.option("--count", type=click.IntRange(100), default=9000, show_default=True, help="How many to make.")
@click.option(
    "--size",
    type=click.IntRange(32, 512),
    default=64,
    show_default=True,
    callback=_even,
    help="Pixels a side, an even number.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides every face.")
@json_option
def sequences(folder: Path, faces: Path | None, count: int, size: int, seed: int, as_json: bool) -> None:
    """Make faces edited in a known order, to train on.

    Each has a mask of the components that were edited. DIR gets the layout of Seq-DeepFake; one in four faces
    is genuine, and no photograph or rendered person is in two splits.

    Examples:
      owcl sequences edited && owcl train --task ranking edited
      owcl sequences edited --faces ~/portraits --count 3000
    """
    from scenarios.layouts.seqdeepfake import read
    from scenarios.sequences.build import build

    with output.progress() as report:
        build(
            folder, faces, seed, size, count, progress=lambda done, total: report("making faces", done, total)
        )
    sizes = {split: len(found) for split, found in read(folder).splits.items()}
    if as_json:
        output.json_object({"folder": str(folder), "faces": sizes})
        return
    output.table(["split", "faces"], sizes.items())
    output.note(f"Next: owcl train --task ranking {folder}")

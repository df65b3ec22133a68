"""`owcl localise`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, output_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.argument("image", metavar="IMAGE")
@output_option("picture", "Where to draw the heat map; else IMAGE-heat.png here.")
@workspace_option
@json_option
def localise(image: str, picture: Path | None, root: Path, as_json: bool) -> None:
    """Say where and in which order a face was edited.

    A ranking model is needed: owcl train --task ranking. It knows edits of parts of a face; one that was
    synthesised as a whole is for owcl attribute.

    Examples:
      owcl localise suspect.png
      owcl localise suspect.png --output where.png --json
    """
    drawn = picture or Path(f"{Path(image).stem}-heat.png")
    with opened(root) as workspace:
        from owcl.engine.localise import localise as look

        found = look(workspace, image, drawn)
    if as_json:
        output.json_object({"face": found, "picture": str(drawn)})
        return
    said = "edited" if found.forged else "genuine"
    output.fields(
        {
            "verdict": said,
            "probability of being forged": f"{found.probability:.1%}",
            "edited, in order": ", ".join(found.components) or ("component unknown" if found.forged else "-"),
            "share of the picture": f"{found.edited_share:.1%}",
        }
    )
    output.note(f"Heat map: {drawn}")

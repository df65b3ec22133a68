"""The command `owcl`: which commands there are, and what a script learns from an exit code.

Nothing heavy is imported here, and a command's module only when it is called.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import click

from owcl import __version__
from owcl.cli.commands import CommandGroup
from owcl.cli.session import Session, guarded

COMMANDS = {
    "init": ("owcl.cli.init:init", "Make a workspace."),
    "train": ("owcl.cli.train:train", "Learn the methods that you know, from labelled faces."),
    "ingest": ("owcl.cli.ingest:ingest", "Take in unlabelled faces and attribute them."),
    "discover": ("owcl.cli.discover:discover", "Look for new methods among the faces taken in."),
    "classes": ("owcl.cli.classes:classes", "List, show, name, merge, split, make and reject classes."),
    "review": ("owcl.cli.review:review", "Look at discoveries in a browser and decide about them."),
    "queue": ("owcl.cli.queue:queue", "Show recent faces whose labels would help most."),
    "update": ("owcl.cli.update:update", "Learn what was discovered, without forgetting."),
    "attribute": ("owcl.cli.attribute:attribute", "Say who made images, without taking them in."),
    "localise": ("owcl.cli.localise:localise", "Say where and in which order a face was edited."),
    "sequences": ("owcl.cli.sequences:sequences", "Make faces edited in a known order, to train on."),
    "simulate": ("owcl.cli.simulate:simulate", "Run a whole scenario, in which new methods arrive."),
    "reproduce": ("owcl.cli.reproduce:reproduce", "Run a published recipe on its benchmark."),
    "evaluate": ("owcl.cli.evaluate:evaluate", "Measure accuracy on a labelled test folder."),
    "forgetting": ("owcl.cli.forgetting:forgetting", "Show which classes each model version still knew."),
    "report": ("owcl.cli.report:report", "Write a report as one HTML file."),
    "export": ("owcl.cli.export:export", "Write all faces as CSV, Parquet or folders of images."),
    "doctor": ("owcl.cli.doctor:doctor", "Check this machine, the libraries and the workspace."),
}

EPILOG = """\b
Exit codes:
  0    done, also when there was nothing to do
  1    a defect of owcl: please report it
  2    the command was written wrongly
  3    a file, folder or value cannot be used, or a step comes too early: discover
       before ingest, update before discover
  4    there is no such class, face, model version, learner or preset
  5    somebody else changed it meanwhile, or its state forbids the change
  130  interrupted; it is safe to run again
"""


@click.group(
    cls=CommandGroup,
    lazy=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="owcl")
def owcl() -> None:
    """Attribute faces to the deepfake generators that made them, and discover new generators.

    Examples:
      owcl init cases && cd cases && owcl train ~/labelled
      owcl ingest ~/inbox && owcl discover && owcl classes list
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are shown, never raised."""
    session = Session()
    return guarded(session, lambda: owcl.main(list(arguments), "owcl", standalone_mode=False, obj=session))


def main() -> None:
    """Run the command that the person typed."""
    # What is wrong with an image is said by quarantine; Pillow's remarks would tear the progress bar.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    sys.exit(run(sys.argv[1:]))

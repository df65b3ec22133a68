"""`owcl doctor`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import json_option, workspace_option
from owcl.errors import BadInput


@click.command(cls=TaughtCommand)
@workspace_option
@json_option
@click.pass_context
def doctor(context: click.Context, root: Path, as_json: bool) -> None:
    """Check this machine, the libraries and the workspace.

    Ends with exit code 3 when something is broken.

    Examples:
      owcl doctor
      owcl doctor --workspace cases --json
    """
    from owcl.engine.doctor import examine

    checks = examine(root)
    if as_json:
        output.json_object({"ok": all(check.ok for check in checks), "checks": checks})
    else:
        rows = [("ok" if check.ok else "BROKEN", check.name, check.detail) for check in checks]
        output.table(["", "check", "found"], rows)
    if not all(check.ok for check in checks):
        context.exit(BadInput.exit_code)

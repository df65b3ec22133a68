"""One call of the command line: where it logs, and what becomes of its errors."""

from __future__ import annotations

import errno
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from owcl.cli import output
from owcl.errors import BadInput, OwclError

if TYPE_CHECKING:
    from owcl.engine.workspace import Workspace

LOG = "owcl.log"
DEFECT, INTERRUPTED = 1, 130
_UNUSABLE = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EEXIST,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.ENOSPC,
        errno.EDQUOT,
    }
)
_OURS = ("owcl", "storage", "scenarios")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger(__name__)


@dataclass
class Session:
    """What is known of a call while it runs; its log is none until a workspace is open."""

    log: Path | None = None
    handler: logging.Handler | None = None

    def log_to(self, folder: Path) -> None:
        """Write what happens into the log of a workspace from now on; the first one asked for is kept."""
        if self.handler is not None:
            return
        try:
            handler = logging.FileHandler(folder / LOG, encoding="utf-8", errors="backslashreplace")
        except OSError:  # A read-only workspace can still be looked at.
            return
        handler.setFormatter(logging.Formatter(_FORMAT))
        logging.getLogger().addHandler(handler)
        self.log, self.handler = folder / LOG, handler

    def close(self) -> None:
        """Let go of the log."""
        if self.handler is not None:
            logging.getLogger().removeHandler(self.handler)
            self.handler.close()


@contextmanager
def opened(root: Path) -> Iterator[Workspace]:
    """Open the workspace that a command works on, and log into it.

    Raises:
        BadInput: if there is none.
    """
    from owcl.engine.workspace import Workspace

    with Workspace.open(root) as workspace:
        current().log_to(root)
        yield workspace


def current() -> Session:
    """Return the session of the command that runs."""
    return click.get_current_context().ensure_object(Session)


def guarded(session: Session, command: Callable[[], object]) -> int:
    """Run a command and return its exit code, with every error shown as a person can use it."""
    warnings = output.WarningsShown(logging.WARNING)
    levels = {name: logging.getLogger(name).level for name in _OURS}
    for name in _OURS:
        logging.getLogger(name).addHandler(warnings)
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        return _exit_code(session, command)
    finally:
        for name, level in levels.items():
            logging.getLogger(name).removeHandler(warnings)
            logging.getLogger(name).setLevel(level)
        session.close()


def _exit_code(session: Session, command: Callable[[], object]) -> int:
    try:
        code = command()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        output.note(shown.getvalue().rstrip())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.note("Interrupted. It is safe to run again: what was reported as done is kept.")
        return INTERRUPTED
    except OwclError as error:
        output.note(f"Error: {error}")
        return error.exit_code
    except OSError as error:
        if error.errno not in _UNUSABLE:
            return _defect(session, error)
        output.note(
            f"Error: {error.filename or 'a file'}: it cannot be used ({error.strerror}). A place that can be "
            "read and written is expected. Correct the path, its permissions or the space on the disk."
        )
        return BadInput.exit_code
    except Exception as error:
        return _defect(session, error)


def _defect(session: Session, error: Exception) -> int:
    if session.handler is None:
        output.traceback(error)
        where = "above"
    else:
        session.handler.handle(
            logger.makeRecord(
                logger.name,
                logging.ERROR,
                __file__,
                0,
                "unforeseen",
                (),
                (type(error), error, error.__traceback__),
            )
        )
        where = f"in {session.log}"
    output.note(
        f"Error: {type(error).__name__}: {error}. This is a defect of owcl, not of your input. The "
        f"details are {where}: please report them. What was reported as done is kept."
    )
    return DEFECT

"""The journal of runs: which step was done when, under which configuration, and what came of it."""

from __future__ import annotations

import fcntl
import functools
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from owcl.engine.workspace import Workspace
from owcl.errors import Conflict
from storage import runs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result", bound="DataclassInstance")
Step = Callable[Concatenate[Workspace, P], Result]


def journalled(verb: str, *, alone: bool = True) -> Callable[[Step[P, Result]], Step[P, Result]]:
    """Record each call of a step of work in the workspace's journal.

    A run that was killed stays "running" until the step is taken up again, which notes that it was
    interrupted.

    Args:
        verb: what the step is called.
        alone: whether it is refused, by a `Conflict`, while another step that must be alone is at work in the
            workspace, in this process or any other.
    """

    def decorate(step: Step[P, Result]) -> Step[P, Result]:
        @functools.wraps(step)
        def recorded(workspace: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            with _at_work(workspace, verb, alone) as by_itself:
                run_id = _begin(workspace, verb, by_itself)
                try:
                    result = step(workspace, *args, **kwargs)
                except BaseException as error:
                    with workspace.store.transaction() as transaction:
                        runs.fail(transaction, run_id, str(error) or type(error).__name__)
                    raise
                with workspace.store.transaction() as transaction:
                    runs.finish(transaction, run_id, _plain(result), getattr(result, "experience", None))
                return result

        return recorded

    return decorate


@contextmanager
def _at_work(workspace: Workspace, verb: str, alone: bool) -> Iterator[bool]:
    """Hold a lock while a step is at work; the system lets go of it when the process dies.

    Yields:
        Whether no other step with this lock is at work, so that a run which is not finished was killed.
    """
    path = workspace.root / ("owcl.lock" if alone else f"{verb}.lock")
    with path.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            by_itself = True
        except BlockingIOError:
            by_itself = False
        if not alone:
            fcntl.flock(lock, fcntl.LOCK_SH)
        elif by_itself:
            lock.truncate(0)
            lock.write(f"{verb} (process {os.getpid()})")
            lock.flush()
        else:
            lock.seek(0)
            raise Conflict(
                f"{workspace.root}: {lock.read()} is at work here, and {verb} cannot be at the same time. "
                "One is expected, since both write classes or models. Wait for it to end and run this again."
            )
        yield by_itself


def _begin(workspace: Workspace, verb: str, by_itself: bool) -> int:
    settings = workspace.configuration
    with workspace.store.transaction() as transaction:
        while by_itself and (left := runs.unfinished(transaction, verb)) is not None:
            logger.info("run %d (%s) was interrupted; taking it up again", left.id, verb)
            runs.fail(transaction, left.id, "interrupted")
        task = runs.Task(verb, configuration=settings.model_dump(), seed=settings.seed)
        return runs.start(transaction, task)


def _plain(result: DataclassInstance) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(result), default=_number))
    return plain


def _number(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value")

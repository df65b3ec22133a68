"""The journal of runs: which step was done when, under which configuration, and what came of it."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from owcl.engine.workspace import Workspace
from storage import runs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Result = TypeVar("Result", bound="DataclassInstance")
Step = Callable[Concatenate[Workspace, P], Result]


def journalled(verb: str) -> Callable[[Step[P, Result]], Step[P, Result]]:
    """Record each call of a step of work in the workspace's journal.

    A run that was killed stays "running" until the step is taken up again, which notes that it was
    interrupted.
    """

    def decorate(step: Step[P, Result]) -> Step[P, Result]:
        @functools.wraps(step)
        def recorded(workspace: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> Result:
            run_id = _begin(workspace, verb)
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


def _begin(workspace: Workspace, verb: str) -> int:
    settings = workspace.configuration
    with workspace.store.transaction() as transaction:
        while (left := runs.unfinished(transaction, verb)) is not None:
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

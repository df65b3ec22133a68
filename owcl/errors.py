"""What can go wrong for a user, each kind with the exit code that a script may trust."""

from __future__ import annotations


class OwclError(Exception):
    """An error that a user can act upon; its message says where, what, and what to do."""

    exit_code = 1


class BadInput(OwclError, ValueError):
    """A file, folder or value cannot be used."""

    exit_code = 3


class NotFound(OwclError, LookupError):
    """There is no such class, face or model version."""

    exit_code = 4


class Conflict(OwclError):
    """Somebody else changed it meanwhile, or its present state forbids the change."""

    exit_code = 5

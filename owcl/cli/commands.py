"""Commands and groups: examples in the help, loaded when called, helpful when a word is mistyped."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import cleandoc
from typing import Any

import click


class TaughtCommand(click.Command):
    """A command whose help ends in examples, a line each, taken from its docstring."""

    def __init__(self, *positional: Any, **settings: Any) -> None:
        super().__init__(*positional, **settings)
        self.help = _unwrapped(self.help)


class CommandGroup(click.Group):
    """A group whose commands may be named by their import path.

    Args:
        lazy: for each command `module:name` and the line that help shows, so that help loads nothing.
        settings: of the group itself, for click.
    """

    command_class = TaughtCommand

    def __init__(
        self, *positional: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **settings: Any
    ) -> None:
        super().__init__(*positional, **settings)
        self.help = _unwrapped(self.help)
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a person needs the commands."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing it where it is lazy."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        from importlib import import_module

        module, _, name = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the lazy commands without importing them."""
        lines = [(name, line) for name, (_, line) in self.lazy.items()]
        lines += [(name, command.get_short_help_str(120)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(lines)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which there are."""
        names = self.list_commands(ctx)
        if args[0] in names or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        close = get_close_matches(args[0], names, 1)
        guess = f' Did you mean "{close[0]}"?' if close else ""
        raise click.UsageError(
            f"there is no command {ctx.command_path} {args[0]!r}. There are: {', '.join(names)}.{guess}", ctx
        )


def _unwrapped(text: str | None) -> str | None:
    # \b keeps click from joining the lines of a paragraph.
    return None if text is None else cleandoc(text).replace("\n\nExamples:\n", "\n\n\b\nExamples:\n")

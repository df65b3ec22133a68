"""What the help, the exit codes and the configuration say is true and complete."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from owcl.cli.main import COMMANDS, EPILOG, owcl
from owcl.config import Configuration
from owcl.errors import OwclError
from owcl.evaluation.table import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def every_command(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


ALL = dict(every_command(owcl, "owcl"))


def help_of(path: str) -> str:
    return ALL[path].get_help(click.Context(ALL[path], info_name=path, terminal_width=100))


def examples_of(path: str) -> list[str]:
    after = help_of(path).partition("Examples:\n")[2]
    return [line.strip() for line in after.partition("\n\n")[0].splitlines()]


def parts_of(kind: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, field in kind.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from parts_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name, field.description


@pytest.mark.parametrize("path", ALL)
def test_help_teaches_a_sentence_and_two_examples(path: str) -> None:
    assert (ALL[path].help or "").split("\n")[0].endswith(".")
    examples = examples_of(path)
    assert len(examples) == 2
    if not isinstance(ALL[path], click.Group):
        assert all(path in example for example in examples)


@pytest.mark.parametrize("path", ALL)
def test_examples_can_be_typed(path: str) -> None:
    """Every word after `owcl` is a command, and every option is one of its own."""
    for example in examples_of(path):
        for call in re.findall(r"owcl [^|&<>]*", example):
            words = shlex.split(call)
            depth = next(d for d in (3, 2) if " ".join(words[:d]) in ALL)
            command = ALL[" ".join(words[:depth])]
            known = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words[depth:] if re.match(r"--?\w", word)} <= known


@pytest.mark.parametrize("path", ALL)
def test_every_option_is_explained(path: str) -> None:
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name}"
            assert parameter.help.endswith(".")


def test_the_list_of_commands_says_what_each_command_says() -> None:
    for name, (_, line) in COMMANDS.items():
        assert (ALL[f"owcl {name}"].help or "").split("\n")[0] == line


def test_every_exit_code_is_in_the_help() -> None:
    documented = {int(code) for code in re.findall(r"^  (\d+) ", EPILOG, re.MULTILINE)}
    errors = {kind.exit_code for kind in (OwclError, *OwclError.__subclasses__())}
    assert documented == errors | {0, click.UsageError.exit_code, 130}


def test_every_configuration_key_is_explained_in_the_file(tmp_path: Path) -> None:
    Configuration().write(tmp_path / "owcl.toml")
    text = (tmp_path / "owcl.toml").read_text(encoding="utf-8")
    for name, description in parts_of(Configuration):
        assert description, name
        assert re.search(rf"^{name.rpartition('.')[2]} = .*# {re.escape(description)}$", text, re.MULTILINE)
    assert Configuration.model_validate(tomllib.loads(text)) == Configuration()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_the_documents_can_be_typed(document: Path) -> None:
    """Words are commands, options their own, and in blocks to copy nothing is left out that is needed."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for line in "".join(blocks).splitlines():
        for call in calls_in(line.partition("#")[0]):
            assert not missing_from(call), line
    for quoted in re.findall(r"`(owcl [^`]*)`", text):
        for call in calls_in(quoted):
            command, given = called(call)
            assert set(given) <= {option for one in command.params for option in one.opts}, quoted


def calls_in(line: str) -> list[list[str]]:
    return [shlex.split(call) for call in re.findall(r"\bowcl [a-z][^|&<>)]*", line)]


def called(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command of a call, and the options that it is given."""
    depth = max(d for d in (1, 2, 3) if d == 1 or " ".join(words[:d]) in ALL)
    assert depth > 1, words
    return ALL[" ".join(words[:depth])], [word for word in words[depth:] if re.match(r"--?[a-z]", word)]


def missing_from(words: list[str]) -> list[str]:
    """Return what click would complain of, were the words typed."""
    command, _ = called(words)
    if isinstance(command, click.Group):
        return []
    path = next(path for path, one in ALL.items() if one is command)
    parser = command.make_parser(click.Context(command))
    given, _, _ = parser.parse_args(words[len(path.split()) :])
    return [one.name for one in command.params if one.required and one.name and not given.get(one.name)]


def test_every_column_of_the_table_is_explained() -> None:
    explained = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
    assert [name for name in COLUMNS if f"`{name}`" not in explained] == []

"""`owcl classes`: what operators do with the registry. Looking at it is in `class_views`."""

from __future__ import annotations

from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.class_history import history, redo, undo
from owcl.cli.class_views import list_command, proposals, sheet, show
from owcl.cli.commands import CommandGroup
from owcl.cli.options import CLASS, Id, json_option, who_option, with_standard_input, workspace_option
from owcl.cli.session import opened
from owcl.errors import BadInput
from owcl.types import MethodClass


@click.group(cls=CommandGroup)
def classes() -> None:
    """List, show, name, merge, split, make and reject classes.

    A CLASS is an id or a name. Every decision is kept in the history; those of people can be undone.

    Examples:
      owcl classes list
      owcl classes name 12 "StyleGAN 2"
    """


for view in (list_command, show, sheet, proposals):
    classes.add_command(view)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@click.argument("new_name", metavar="NAME")
@click.option("--family", help="The family of methods that it belongs to; an empty one for none.")
@click.option("--note", help="What to remember of it, a link for example; an empty one for nothing.")
@who_option
@workspace_option
@json_option
def name(
    class_: str, new_name: str, family: str | None, note: str | None, who: str, root: Path, as_json: bool
) -> None:
    """Name a class.

    Examples:
      owcl classes name 12 "StyleGAN 2"
      owcl classes name 13 SimSwap --family "identity swap" --note "see case 2026-114"
    """
    from owcl.engine import registry

    with opened(root) as workspace:
        entry = registry.name(workspace.store, class_, new_name, who, family, note)
    _show_class(entry, f"class {entry.id} is {entry.name!r} now", as_json)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@click.argument("into", type=CLASS, metavar="INTO")
@who_option
@workspace_option
@json_option
def merge(class_: str, into: str, who: str, root: Path, as_json: bool) -> None:
    """Merge a class into another one, which keeps its name and id.

    Examples:
      owcl classes merge 13 12
      owcl classes merge new-13 "StyleGAN 2"
    """
    from owcl.engine import registry

    with opened(root) as workspace:
        entry = registry.merge(workspace.store, class_, into, who)
    _show_class(entry, f"{class_} stands for class {entry.id} ({entry.name}) now", as_json)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@click.argument("faces", nargs=-1, metavar="[FACES...]")
@click.option("--proposed", is_flag=True, help="Take the faces that owcl classes proposals would split off.")
@click.option("--name", "new_name", help="The new class's name.")
@who_option
@workspace_option
@json_option
def split(
    class_: str,
    faces: tuple[str, ...],
    proposed: bool,
    new_name: str | None,
    who: str,
    root: Path,
    as_json: bool,
) -> None:
    """Make a class of some faces of another one.

    FACES are ids, or - for a list of them on standard input; owcl export csv lists faces with their ids.

    Examples:
      owcl classes split 12 --proposed
      owcl classes split 12 - --name "StyleGAN 3" < faces.txt
    """
    from owcl.engine import registry

    if proposed == bool(faces):
        raise click.UsageError("name either FACES or --proposed")
    face_ids = _face_ids(faces)
    with opened(root) as workspace:
        if proposed:
            from owcl.engine.proposals import proposed_part

            face_ids = list(proposed_part(workspace, class_))
        entry = registry.split(workspace.store, class_, face_ids, who, new_name)
    _show_class(entry, f"class {entry.id} ({entry.name}) has {len(set(face_ids))} faces of {class_}", as_json)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@click.argument("faces", nargs=-1, required=True, metavar="FACES...")
@who_option
@workspace_option
@json_option
def label(class_: str, faces: tuple[str, ...], who: str, root: Path, as_json: bool) -> None:
    """Say that faces are of a class.

    FACES are face ids as owcl queue shows them, or - for one a line on standard input. Your word counts for
    more than the model's; the next owcl update learns it.

    Examples:
      owcl classes label 12 501 502 507
      owcl classes label real - < faces.txt
    """
    from owcl.engine import registry

    face_ids = _face_ids(faces)
    with opened(root) as workspace:
        entry = registry.label(workspace.store, class_, face_ids, who)
    _show_class(entry, f"{len(set(face_ids))} faces are of class {entry.id} ({entry.name})", as_json)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@click.argument("faces", nargs=-1, required=True, metavar="FACES...")
@who_option
@workspace_option
@json_option
def release(class_: str, faces: tuple[str, ...], who: str, root: Path, as_json: bool) -> None:
    """Say that faces are not of a class.

    FACES are face ids, or - for one a line on standard input. Those that the model takes for no class wait
    for discovery again; the others stand where it puts them.

    Examples:
      owcl classes release 12 501 502
      owcl classes release new-12 - < faces.txt
    """
    from owcl.engine import registry

    face_ids = _face_ids(faces)
    with opened(root) as workspace:
        entry = registry.release(workspace.store, class_, face_ids, who)
    _show_class(entry, f"{len(set(face_ids))} faces are of class {entry.id} ({entry.name}) no more", as_json)


@classes.command()
@click.argument("faces", nargs=-1, required=True, metavar="FACES...")
@click.option("--name", "new_name", help="The new class's name.")
@who_option
@workspace_option
@json_option
def make(faces: tuple[str, ...], new_name: str | None, who: str, root: Path, as_json: bool) -> None:
    """Make a class of faces, wherever they belonged before.

    FACES are face ids, or - for one a line on standard input.

    Examples:
      owcl classes make 501 502 507 --name SimSwap
      owcl classes make - < faces.txt
    """
    from owcl.engine import registry

    face_ids = _face_ids(faces)
    with opened(root) as workspace:
        entry = registry.make(workspace.store, face_ids, who, new_name)
    _show_class(entry, f"class {entry.id} ({entry.name}) has {len(set(face_ids))} faces", as_json)


@classes.command()
@click.argument("cluster", type=Id("cluster"), metavar="CLUSTER")
@click.option("--name", "new_name", help="The new class's name.")
@who_option
@workspace_option
@json_option
def adopt(cluster: int, new_name: str | None, who: str, root: Path, as_json: bool) -> None:
    """Make a class of a cluster that discovery is not sure enough of.

    CLUSTER is its number, which `owcl classes proposals` shows beside the reasons why it waits.

    Examples:
      owcl classes adopt 6
      owcl classes adopt 6 --name SimSwap --who anna
    """
    from owcl.engine import registry

    with opened(root) as workspace:
        entry = registry.adopt(workspace.store, cluster, who, new_name)
    _show_class(entry, f"class {entry.id} ({entry.name}) is what cluster {cluster} was", as_json)


@classes.command()
@click.argument("class_", type=CLASS, metavar="CLASS")
@who_option
@workspace_option
@json_option
def reject(class_: str, who: str, root: Path, as_json: bool) -> None:
    """Say that a class is none.

    Its faces are not proposed again.

    Examples:
      owcl classes reject 12
      owcl classes reject new-12 --who anna
    """
    from owcl.engine import registry

    with opened(root) as workspace:
        entry = registry.reject(workspace.store, class_, who)
    _show_class(entry, f"class {entry.id} ({entry.name}) is rejected", as_json)


def _face_ids(words: tuple[str, ...]) -> list[int]:
    """Read ids of faces, from standard input where `-` stands for them."""
    return [_face_id(word) for word in with_standard_input(words)]


def _face_id(word: str) -> int:
    try:
        return Id("face").convert(word, None, None)
    except click.BadParameter:
        raise BadInput(
            f"FACES: {word!r} is no id of a face. A whole number is expected. "
            "`owcl export csv` lists faces with their ids."
        ) from None


def _show_class(entry: MethodClass, sentence: str, as_json: bool) -> None:
    if as_json:
        output.json_object(entry)
    else:
        output.line(sentence)
        output.note("owcl classes undo takes it back")


for command in (undo, redo, history):
    classes.add_command(command)

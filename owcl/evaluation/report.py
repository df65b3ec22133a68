"""One self-contained page about a workspace: what came in, what was found, how well it goes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClassRow:
    """A class in the table of classes."""

    id: int
    """Never used again for another one."""
    name: str
    """Given by an operator, or made up at promotion."""
    family: str
    """Of manipulation; empty if nobody said."""
    status: str
    """Known, provisional, named, merged or rejected."""
    faces: int
    """How many belong to it, on somebody's word or as the model says."""
    born: int | None
    """Experience in which it was found; none if it was known from the start."""
    evidence: str
    """Why it is believed to be a class, in a sentence; may be empty."""
    strip: bytes | None
    """PNG of example faces side by side, or none."""


@dataclass(frozen=True)
class Report:
    """What the page shows; whatever needs the truth may be missing."""

    title: str
    """Of the page."""
    summary: str
    """What happened, in a sentence."""
    headline: Sequence[tuple[str, str]]
    """Label and figure, for the row of large numbers."""
    classes: Sequence[ClassRow]
    """In the order of the table."""
    figures: Sequence[tuple[str, str]] = ()
    """Heading and SVG text, made by `owcl.evaluation.figures`."""
    columns: Sequence[str] = ()
    """Of the table of methods."""
    methods: Sequence[Sequence[str]] = ()
    """Rows of the table of methods: name, then a cell a column."""
    quarantined: Sequence[tuple[str, str]] = ()
    """Source and reason."""
    decisions: Sequence[tuple[str, str, str]] = ()
    """When, who, and what was decided; newest first."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Versions and configuration."""


def render(report: Report) -> str:
    """Return the page as HTML that refers to nothing outside of itself.

    Every word is escaped; only `figures` are put in as they are, which is why they must come from
    `owcl.evaluation.figures`, where names are escaped too.
    """
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("owcl.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    figures = [(heading, Markup(svg)) for heading, svg in report.figures]
    strips = {row.id: _data_uri(row.strip) for row in report.classes if row.strip is not None}
    return environment.get_template("report.html.j2").render(report=report, figures=figures, strips=strips)


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()

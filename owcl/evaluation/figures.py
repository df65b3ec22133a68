"""Figures as SVG text, drawn without a window; names in them are shown as they are, never interpreted."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from owcl.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, which colour-blind people can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8c6d31")
LARGEST_MAP = 1500
MOST_TICKS = 15
"""Experiences that are numbered one by one; of more, every second or fifth is."""
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "svg.hashsalt": "owcl",
    "svg.fonttype": "none",
    # A method may be called "$x".
    "text.parse_math": False,
    "axes.unicode_minus": False,
}


def accuracy_over_time(series: Mapping[str, Sequence[float | None]]) -> str:
    """Draw named accuracies in percent, one value an experience from 0 on."""
    with rc_context(_STYLE):
        figure, axes = _axes(7.5, 3.6, "Accuracy on the test faces after each experience")
        for index, (name, values) in enumerate(series.items()):
            numbers = [np.nan if value is None else value for value in values]
            axes.plot(
                numbers,
                marker="o",
                markersize=4,
                color=COLOURS[index % len(COLOURS)],
                linestyle=("-", "--")[index % 2],  # Of two curves that coincide, both are seen.
                label=name,
            )
        longest = max((len(values) for values in series.values()), default=1)
        axes.set(xlabel="experience", ylabel="percent", xlim=(-0.5, longest - 0.5), ylim=(0, 103))
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="y", alpha=0.25)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        return _svg(figure)


def forgetting_matrix(
    accuracies: Sequence[Sequence[float | None]], rows: Sequence[str], columns: Sequence[str]
) -> str:
    """Draw accuracy in [0, 1] on each class or cohort of arrivals (columns) at each step (rows)."""
    table = np.array([[np.nan if value is None else value for value in row] for row in accuracies])
    with rc_context(_STYLE):
        width, height = 2.2 + 1.15 * table.shape[1], 1.5 + 0.45 * len(table)
        figure, axes = _axes(width, height, "Is it still known? Accuracy on what has arrived")
        axes.imshow(table, cmap="viridis", vmin=0, vmax=1, aspect="auto")
        _write_cells(axes, table)
        axes.set_xticks(range(len(columns)), columns, rotation=25, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        return _svg(figure)


def confusion(counts: NDArray[np.int64], rows: Sequence[str], columns: Sequence[str]) -> str:
    """Draw how the faces of each method (rows) were attributed to classes (columns).

    Args:
        counts: `(methods, classes)` faces.
        rows: names of the methods.
        columns: names of the classes, "unknown" among them if it was an answer.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with rc_context(_STYLE):
        width, height = 2.6 + 0.55 * len(columns), 1.9 + 0.36 * len(rows)
        figure, axes = _axes(width, height, "Who is taken for whom: share of each method's faces")
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        _write_cells(axes, np.where(shares >= 0.005, shares, np.nan), light_above=0.6)
        axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
        axes.set_yticks(range(len(rows)), rows)
        axes.set(xlabel="attributed to", ylabel="made by")
        return _svg(figure)


def embedding_map(points: NDArray[np.floating], names: Sequence[str]) -> str:
    """Draw `(N, 2)` points, coloured by the class that each is attributed to."""
    with rc_context(_STYLE):
        looked_at = f"{len(points):,} faces that the answering model has looked at"
        figure, axes = _axes(7.5, 4.8, f"Map of {looked_at}, by class")
        # Few points would be lost on the page, and many large ones would cover each other.
        area = float(np.clip(10_000 / max(1, len(points)), 9, 36))
        distinct = sorted(set(names))
        for index, name in enumerate(distinct):
            chosen = np.array([other == name for other in names], np.bool_)
            axes.scatter(
                points[chosen, 0],
                points[chosen, 1],
                s=area,
                alpha=0.7,
                linewidths=0,
                color=COLOURS[index % len(COLOURS)],
                marker="o^sDvP"[index // len(COLOURS) % 6],
                label=name,
            )
        axes.set(xticks=[], yticks=[])
        axes.legend(
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            fontsize=8,
            markerscale=4.8 / area**0.5,
        )
        return _svg(figure)


def project(vectors: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return `(N, 2)` coordinates of `(N, D)` vectors: PCA, then t-SNE.

    Args:
        vectors: 4 to 1,500 of them.
        rng: the same one gives the same map.

    Raises:
        BadInput: if there are too few or too many.

    Source:
        Van der Maaten and Hinton, Visualizing data using t-SNE, JMLR 2008.
    """
    if not 4 <= len(vectors) <= LARGEST_MAP:
        raise BadInput(
            f"map: {len(vectors):,} vectors. From 4 to {LARGEST_MAP:,} are expected. Draw some of them."
        )
    reduced = _principal(vectors, 30)
    perplexity = min(30.0, max(2.0, (len(vectors) - 1) / 4))
    seed = int(rng.integers(2**31))
    tsne = TSNE(perplexity=perplexity, init=_started(reduced), random_state=seed, max_iter=500)
    points: NDArray[np.float32] = tsne.fit_transform(reduced)
    return points


def arrivals(faces: Mapping[str, Sequence[int]]) -> str:
    """Draw how many faces were attributed to each class in each experience from 1 on."""
    with rc_context(_STYLE):
        figure, axes = _axes(7.5, 1.4 + 0.32 * len(faces), "When each class was met, and how often")
        largest = max((max(values, default=0) for values in faces.values()), default=0) or 1
        for row, (_, values) in enumerate(faces.items()):
            sizes = [420 * value / largest for value in values]
            axes.scatter(
                range(1, len(values) + 1), [row] * len(values), s=sizes, color=COLOURS[0], alpha=0.75
            )
            for experience, value in enumerate(values, start=1):
                if value and len(values) <= MOST_TICKS:
                    axes.annotate(
                        str(value), (experience, row), textcoords="offset points", xytext=(13, -3), fontsize=8
                    )
        axes.set_yticks(range(len(faces)), list(faces))
        longest = max((len(values) for values in faces.values()), default=1)
        axes.set(xlabel="experience", ylim=(len(faces) - 0.4, -0.6), xlim=(0.5, longest + 0.6))
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="x", alpha=0.25)
        return _svg(figure)


def counting(estimates: Sequence[tuple[float, float, float]], true: Sequence[int] | None = None) -> str:
    """Draw estimated numbers of new classes as (value, low, high), one an experience from 1 on."""
    with rc_context(_STYLE):
        figure, axes = _axes(7.5, 3.0, "How many new methods arrived? Estimate with its range")
        places = np.arange(1, len(estimates) + 1)
        values = np.array(estimates, float).reshape(-1, 3)
        # A range need not hold its estimate: the number is rounded, the range is not.
        errors = np.maximum([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]], 0)
        axes.errorbar(
            places, values[:, 0], yerr=errors, fmt="o", color=COLOURS[0], capsize=4, label="estimated"
        )
        if true is not None:
            axes.scatter(places + 0.12, true, marker="x", color=COLOURS[1], label="true", zorder=3)
        highest = max([1, *values[:, 2], *(true or ())])
        axes.set(
            xlabel="experience",
            ylabel="new classes",
            xlim=(0.5, len(values) + 0.5),
            ylim=(-0.3, highest + 0.5),
        )
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.yaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="y", alpha=0.25)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        return _svg(figure)


def strip(images: NDArray[np.uint8]) -> bytes:
    """Return a PNG of `(N, S, S, 3)` faces side by side, at least one."""
    from PIL import Image

    joined = np.concatenate(list(images), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(joined).save(buffer, "PNG")
    return buffer.getvalue()


def _principal(vectors: NDArray[np.float32], components: int) -> NDArray[np.float32]:
    """Return the leading principal components, without trouble where all vectors are equal."""
    centred = vectors - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    scores: NDArray[np.float32] = (left * sizes)[:, :components]
    return scores


def _started(reduced: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return where t-SNE starts: the first two components, small, as its authors advise."""
    start = np.zeros((len(reduced), 2), np.float32)
    start[:, : reduced.shape[1]] = reduced[:, :2]
    return start * np.float32(1e-4 / max(float(start[:, 0].std()), 1e-12))


def _axes(width: float, height: float, title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _whole_numbers() -> MaxNLocator:
    return MaxNLocator(MOST_TICKS, integer=True, min_n_ticks=1)


def _write_cells(axes: Axes, table: NDArray[np.float64], light_above: float | None = None) -> None:
    """Write percentages into cells, in white where the cell is dark."""
    for row, column in zip(*np.nonzero(~np.isnan(table)), strict=True):
        value = table[row, column]
        dark = value > light_above if light_above is not None else value < 0.6
        axes.text(
            column,
            row,
            f"{100 * value:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The reader's fonts are used, which may have what the one for measuring lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    return text[text.index("<svg") :]

"""The configuration: one typed tree with defaults that work, kept as `owcl.toml` in the workspace."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from owcl.choices import ESTIMATORS, LEARNERS, SCORES
from owcl.errors import BadInput

FILE_NAME = "owcl.toml"
LARGEST_SEED = 2**63 - 1
"""The journal keeps the seed of each run, and a database holds no larger number."""


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


def _one_of(words: Collection[str]) -> AfterValidator:
    def checked(word: str) -> str:
        if word in words:
            return word
        near = difflib.get_close_matches(word, words, 1)
        guess = f'; the nearest is "{near[0]}"' if near else ""
        expected = f"One of {_listed(words)} is expected{guess}"
        raise PydanticCustomError("unknown_word", "{expected}", {"expected": expected})

    return AfterValidator(checked)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FacesConfiguration(_Part):
    """How files become faces."""

    image_size: int = Field(64, ge=32, le=512, description="pixels a side after the one resize")
    detect: bool = Field(
        False, description="find and crop the face; leave off for images that are face crops"
    )
    # Pillow refuses what is larger still.
    largest_megapixels: float = Field(
        100, gt=0, le=178, description="larger images are quarantined undecoded"
    )
    largest_megabytes: float = Field(100, gt=0, description="larger files are quarantined unread")
    workers: int = Field(1, ge=1, le=64, description="threads that decode")


class ModelConfiguration(_Part):
    """What looks at the faces."""

    backbone: str = Field(
        "forensic_small",
        description="forensic_small or a timm model; `NAME+frequency` adds attention, "
        "`NAME+frequency_unnormalised` as CAL's code has it",
    )
    weights: str = Field("", description="empty for random, `pretrained`, or a safetensors file")


class TrainingConfiguration(_Part):
    """How long to learn. Steps are of 128 faces."""

    learner: Annotated[str, _one_of(LEARNERS)] = Field(
        "cpl", description=f"what learns discoveries: {_listed(LEARNERS)}"
    )
    first_steps: int = Field(450, ge=1, description="steps on the labelled faces of experience 0")
    pretext_faces: int = Field(64, ge=0, description="manipulated faces a step beside the labelled ones")
    arrival_steps: int = Field(90, ge=1, description="steps of each of the two arrival classifiers")
    update_steps: int = Field(150, ge=1, description="steps of the learner after a discovery")
    refine_steps: int = Field(40, ge=0, description="steps on the pseudo-labels of semi-supervised k-means")
    ranking_steps: int = Field(1200, ge=1, description="steps of `owcl train --task ranking`")
    learning_rate: float = Field(3e-3, gt=0, description="peak, for experience 0; updates take two thirds")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda")

    def halved(self) -> Self:
        """Return the same with half of the steps of everything in a stream."""
        names = ("first_steps", "arrival_steps", "update_steps", "refine_steps")
        return self.model_copy(update={name: getattr(self, name) // 2 for name in names})


class MemoryConfiguration(_Part):
    """What is kept for replay."""

    per_class: int = Field(300, ge=10, description="faces kept of each class")
    calibration_share: float = Field(0.2, gt=0, lt=0.5, description="of what comes in, never trained on")


class NoveltyConfiguration(_Part):
    """When a face is unknown, and when unknown faces are a class."""

    score: Annotated[str, _one_of(SCORES)] = Field("neighbours", description=_listed(SCORES))
    false_alarm_rate: float = Field(0.01, gt=0, lt=0.5, description="known faces that may be called unknown")
    false_discovery_rate: float = Field(
        0.1, gt=0, lt=0.5, description="share of known faces accepted in the pool of arrivals"
    )
    takeover_rate: float = Field(
        0.03, gt=0, lt=0.5, description="known faces that may be lost to discovered classes, all together"
    )
    # With fewer, nothing says whether a cluster is more faces of a class that there is.
    smallest_class: int = Field(30, ge=20, description="faces that make a class")
    count: Annotated[str, _one_of(ESTIMATORS)] = Field("scaled_density", description=_listed(ESTIMATORS))


class Configuration(_Part):
    """Everything that can be set."""

    seed: int = Field(0, ge=0, le=LARGEST_SEED, description="everything random follows from it")
    faces: FacesConfiguration = FacesConfiguration()
    model: ModelConfiguration = ModelConfiguration()
    training: TrainingConfiguration = TrainingConfiguration()
    memory: MemoryConfiguration = MemoryConfiguration()
    novelty: NoveltyConfiguration = NoveltyConfiguration()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file; what it leaves out has its default.

        Raises:
            BadInput: if it is no TOML, or holds a key or value that is not allowed.
        """
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: not valid TOML: {error}. Correct the line named.") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"{path}: {key} is {first['input']!r}. {first['msg']}. Keys and values are explained in the "
                "file that `owcl init` writes. Correct or remove the entry."
            ) from error

    def write(self, path: Path) -> None:
        """Write a TOML file in which a comment explains every key."""
        lines = [*_entries(self, Configuration), ""]
        for name, field in Configuration.model_fields.items():
            part = getattr(self, name)
            if isinstance(part, BaseModel):
                assert field.annotation is not None
                lines += [f"[{name}]", *_entries(part, type(part)), ""]
        path.write_text("\n".join(lines), encoding="utf-8")


def _entries(part: BaseModel, kind: type[BaseModel]) -> list[str]:
    values: dict[str, Any] = {name: getattr(part, name) for name in kind.model_fields}
    return [
        f"{name} = {json.dumps(value)}  # {kind.model_fields[name].description}"
        for name, value in values.items()
        if not isinstance(value, BaseModel)
    ]

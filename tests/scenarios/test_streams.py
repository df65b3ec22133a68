"""What a learner receives: pixels, anonymous ids, and never a hidden label."""

from __future__ import annotations

import gc
import logging
import pickle
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from owcl.errors import BadInput
from scenarios.folder import load
from scenarios.schedule import Schedule, ScheduledExperience
from scenarios.streams import FaceDataset, benchmark, scheduled_benchmark, single_experience
from scenarios.truth import AnswerKey

KNOWN = ("zebrareal", "quokkagan")
HIDDEN = ("zebrareal", "quokkagan", "wombatswap", "numbatwarp")


def _dataset(count: int = 6, labels: np.ndarray | None = None) -> FaceDataset:
    images = torch.arange(count * 48, dtype=torch.int64).to(torch.uint8).reshape(count, 3, 4, 4)
    return FaceDataset(images, labels, np.arange(100, 100 + count))


def test_unlabelled_faces_carry_minus_one() -> None:
    experience = single_experience(_dataset())
    assert list(experience.dataset.targets) == [-1] * 6
    assert [experience.dataset[row][1] for row in range(6)] == [-1] * 6


def test_labelled_faces_carry_their_label() -> None:
    labels = np.array([0, 1, 0, 2, 1, 0])
    assert list(single_experience(_dataset(labels=labels)).dataset.targets) == labels.tolist()


def test_streams_have_an_experience_for_each_dataset() -> None:
    made = benchmark([_dataset(6, np.zeros(6, np.int64)), _dataset(4)], [_dataset(3)])
    assert [len(experience.dataset) for experience in made.train_stream] == [6, 4]
    assert list(made.test_stream[0].dataset.targets) == [-1] * 3


def test_a_schedule_becomes_streams_with_labels_in_experience_zero_alone(tmp_path: Path) -> None:
    schedule = _schedule(tmp_path, ["quokkagan", "zebrareal", "quokkagan"], ["wombatswap", "quokkagan"])
    made = scheduled_benchmark(schedule)
    assert [list(experience.dataset.targets) for experience in made.train_stream] == [[1, 0, 1], [-1, -1]]
    assert list(made.test_stream[0].dataset.targets) == [-1, -1]


def test_even_a_timeline_of_classes_counts_no_hidden_class(tmp_path: Path) -> None:
    from avalanche.benchmarks import with_classes_timeline

    made = with_classes_timeline(scheduled_benchmark(_schedule(tmp_path, [*KNOWN], [*HIDDEN])))
    assert made.train_stream[1].classes_in_this_experience == {-1}
    assert set(made.train_stream[0].future_classes) <= {-1}


def test_a_face_id_is_the_place_of_its_file_in_the_schedule(tmp_path: Path) -> None:
    schedule = _schedule(tmp_path, ["zebrareal"] * 3, ["wombatswap"] * 2)
    schedule.experiences[0].paths[1].write_bytes(b"not an image")
    made = scheduled_benchmark(schedule)
    files = [*schedule.experiences[0].paths, *schedule.experiences[1].paths, *schedule.test]
    ids = [_faces(experience).face_ids.tolist() for experience in (*made.train_stream, *made.test_stream)]
    assert ids == [[0, 2], [3, 4], [5, 6]]
    for experience in (*made.train_stream, *made.test_stream):
        faces = _faces(experience)
        for row, face_id in enumerate(faces.face_ids):
            expected = np.asarray(Image.open(files[face_id])).transpose(2, 0, 1)
            assert np.array_equal(faces[row][0].numpy(), expected)


def test_an_unreadable_face_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    schedule = _schedule(tmp_path, ["zebrareal", "quokkagan", "quokkagan"], ["wombatswap"])
    schedule.experiences[0].paths[0].write_bytes(b"not an image")
    with caplog.at_level(logging.WARNING):
        made = scheduled_benchmark(schedule)
    assert list(made.train_stream[0].dataset.targets) == [1, 1]
    assert f"{schedule.experiences[0].paths[0]}: left out of the stream" in caplog.text


def test_an_experience_without_a_readable_face_is_refused(tmp_path: Path) -> None:
    schedule = _schedule(tmp_path, ["zebrareal"], ["wombatswap"])
    schedule.experiences[1].paths[0].write_bytes(b"not an image")
    with pytest.raises(BadInput, match="none of 1 faces that come together can be read"):
        scheduled_benchmark(schedule)


def test_a_schedule_without_test_faces_has_no_test_stream(tmp_path: Path) -> None:
    plan = _schedule(tmp_path, ["zebrareal"], ["wombatswap"])
    without = Schedule(plan.name, plan.image_size, plan.known, {}, plan.experiences, ())
    assert not hasattr(scheduled_benchmark(without), "test_stream")


def test_exchanging_the_hidden_labels_changes_nothing_that_a_learner_receives(tmp_path: Path) -> None:
    """The same faces under other hidden methods: what the experiences hold is the same, byte by byte."""
    labelled = ["zebrareal", "quokkagan"]
    hidden = ["wombatswap", "numbatwarp", "quokkagan", "wombatswap"]
    one = scheduled_benchmark(_schedule(tmp_path / "one", labelled, hidden))
    other = scheduled_benchmark(_schedule(tmp_path / "other", labelled, hidden[::-1]))
    assert _received(one) == _received(other)


def test_exchanging_given_labels_does_change_what_a_learner_receives(tmp_path: Path) -> None:
    """The comparison above can see a label where there is one."""
    one = scheduled_benchmark(_schedule(tmp_path / "one", ["zebrareal", "quokkagan"], ["wombatswap"]))
    other = scheduled_benchmark(_schedule(tmp_path / "other", ["quokkagan", "zebrareal"], ["wombatswap"]))
    assert _received(one) != _received(other)


def test_nothing_that_is_reachable_from_an_unlabelled_experience_knows_a_method(tmp_path: Path) -> None:
    """Walk over everything that Python can reach from an experience, as a curious learner might."""
    made = scheduled_benchmark(_schedule(tmp_path, list(KNOWN), list(HIDDEN)))
    experience = made.train_stream[1]
    list(experience.dataset)
    found = _reachable(experience)
    told = [thing for thing in found if isinstance(thing, Path | Schedule | ScheduledExperience | AnswerKey)]
    assert told == []
    texts = [text for thing in found for text in _texts(thing)]
    assert [text for text in texts if any(method in text for method in HIDDEN)] == []


def test_real_files_leave_no_trace_of_their_folder_either(forge64: Path) -> None:
    whole, key = load(forge64)
    first = whole.experiences[0]
    assert first.labels is not None
    schedule = Schedule(
        whole.name,
        whole.image_size,
        whole.known,
        whole.known_families,
        (
            ScheduledExperience(0, first.paths[:20], first.labels[:20]),
            ScheduledExperience(1, whole.experiences[1].paths[:20], None),
        ),
        whole.test[:20],
    )
    texts = [
        text for thing in _reachable(scheduled_benchmark(schedule).train_stream[1]) for text in _texts(thing)
    ]
    assert [text for text in texts if any(f"/{method}/" in text for method in key.methods)] == []
    assert not {*key.methods} & {*texts}


@pytest.mark.parametrize(
    "hide",
    [
        lambda path: path,
        lambda path: {"of": [str(path)]},
        lambda path: lambda: path,
        lambda path: np.array([str(path)]),
        lambda path: str(path).encode(),
    ],
)
def test_the_walk_finds_a_path_wherever_it_is_hidden(hide: Any) -> None:
    faces = _dataset()
    faces.loader = hide(Path("faces/wombatswap/0001.png"))  # type: ignore[attr-defined]
    texts = [text for thing in _reachable(single_experience(faces)) for text in _texts(thing)]
    assert any("wombatswap" in text for text in texts)


def _schedule(root: Path, labelled: list[str], hidden: list[str]) -> Schedule:
    """Return a stream of two experiences; a face's pixels depend on its place alone, not on its method."""
    rng = np.random.default_rng(7)

    def write(index: int, method: str) -> Path:
        path = root / "faces" / method / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).save(path)
        return path

    methods = [*labelled, *hidden, "numbatwarp", "zebrareal"]
    paths = [write(index, method) for index, method in enumerate(methods)]
    start, end = len(labelled), len(labelled) + len(hidden)
    experiences = (
        ScheduledExperience(0, tuple(paths[:start]), tuple(labelled)),
        ScheduledExperience(1, tuple(paths[start:end]), None),
    )
    return Schedule("small", 4, KNOWN, {"quokkagan": "numbatwarp"}, experiences, tuple(paths[end:]))


def _faces(experience: Any) -> FaceDataset:
    (found,) = [
        thing for thing in _reachable(experience.dataset, stop=FaceDataset) if isinstance(thing, FaceDataset)
    ]
    return found


def _received(made: Any) -> list[bytes]:
    """Return what the experiences of both streams hold, and the rows that Avalanche serves of it."""
    experiences = (*made.train_stream, *made.test_stream)
    rows = [[(image.tolist(), *rest) for image, *rest in experience.dataset] for experience in experiences]
    targets = [list(experience.dataset.targets) for experience in experiences]
    return [
        # A pickled tensor would hold its address.
        pickle.dumps([_plain(vars(_faces(experience))) for experience in experiences]),
        repr(rows).encode(),
        repr(targets).encode(),
    ]


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.numpy() if isinstance(value, torch.Tensor) else value
        for name, value in attributes.items()
    }


def _reachable(start: Any, stop: type | tuple[type, ...] = ()) -> list[Any]:
    """Return all data that hangs on an object; modules, classes and code are not data, but closures are."""
    seen: dict[int, Any] = {}
    waiting = [start]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | types.ModuleType | types.CodeType):
            continue
        # Kept alive, so that no other object can get its id meanwhile.
        seen[id(thing)] = thing
        if isinstance(thing, types.FunctionType):
            waiting += [thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
        elif not isinstance(thing, types.BuiltinFunctionType) and not (stop and isinstance(thing, stop)):
            waiting += gc.get_referents(thing)
    return list(seen.values())


def _texts(thing: Any) -> list[str]:
    if isinstance(thing, str):
        return [thing]
    if isinstance(thing, bytes):
        return [thing.decode("latin-1")]
    if isinstance(thing, Path):
        return [str(thing)]
    if isinstance(thing, np.ndarray) and thing.dtype.kind in "USO":
        return [str(entry) for entry in thing.ravel()]
    return []

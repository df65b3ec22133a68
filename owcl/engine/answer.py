"""The model that answers: a frozen network, an analytic head on its embeddings, and calibrated doubt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from owcl.memory.analytic import AnalyticHead, balanced_weights
from owcl.memory.replay import Exemplars
from owcl.models import checkpoint
from owcl.models.embed import embed, for_inference
from owcl.models.network import Network
from owcl.novelty.calibration import conformal_p_values
from owcl.novelty.scores.registry import score_named
from owcl.novelty.takeover import handicap_with_few_errors, handicaps_within_budget
from owcl.types import UNKNOWN, Attributions, Embeddings, ModelVersion


@dataclass(frozen=True)
class Calibration:
    """Faces of registered classes that nothing was trained on."""

    images: NDArray[np.uint8]
    """`(M, 3, H, W)`."""
    class_ids: NDArray[np.int64]
    """`(M,)` registry ids."""


@dataclass(frozen=True)
class Doubt:
    """How sure the answer must be: rates that calibration turns into thresholds."""

    false_alarm_rate: float
    """Share of known faces that may be called unknown."""
    takeover_rate: float
    """Share of faces of labelled classes that may be lost to discovered classes, all together."""
    score: str
    """By which open-set score a face is judged."""


class Answer:
    """Says which class made a face, or that none that it knows did.

    Args:
        network: frozen.
        outputs: class ids of the network's own head, in order.
        version: under which it is stored; -1 before it is.
        head: ridge regression on the embeddings.
        handicaps: what is taken off the score of a discovered class, by class id.
        vouched: ids of the discovered classes of which a person had said that they are one.
        exemplars: `(N, D)` embeddings of remembered faces, whose neighbourhood is known ground.
        exemplar_ids: `(N,)` their class ids.
        score: name of the open-set score.
        false_alarm_rate: share of known faces that may be called unknown, where enough calibrate.
    """

    def __init__(
        self,
        *,
        network: Network,
        outputs: tuple[int, ...],
        version: int,
        head: AnalyticHead,
        handicaps: dict[int, float],
        vouched: frozenset[int],
        exemplars: NDArray[np.float32],
        exemplar_ids: NDArray[np.int64],
        score: str,
        false_alarm_rate: float,
    ) -> None:
        self.network = network
        self.outputs = outputs
        self.version = version
        self.head = head
        self.handicaps = handicaps
        self.vouched = vouched
        self.exemplars = exemplars
        self.exemplar_ids = exemplar_ids
        self.score = score
        self.false_alarm_rate = false_alarm_rate
        self.doubts = np.zeros(1)
        """`(M,)` open-set scores of calibration faces."""
        self.held_out = np.empty((0, exemplars.shape[1]), np.float32)
        """`(M, D)` embeddings of these; none in models that were stored before they were kept."""
        self.exemplar_faces = np.full(len(exemplars), UNKNOWN, np.int64)
        """`(N,)` ids of the remembered faces; unknown in models that were stored before they were kept."""
        self._score = score_named(score).fit(exemplars, exemplar_ids)

    @classmethod
    def fit(
        cls,
        network: Network,
        outputs: tuple[int, ...],
        memory: Exemplars,
        calibration: Calibration,
        labelled: frozenset[int],
        doubt: Doubt,
        vouched: frozenset[int] = frozenset(),
    ) -> Answer:
        """Fit the head on remembered faces and its thresholds on calibration faces.

        A discovered class may lie so close to a labelled one that a balanced head would give it many of the
        other's faces. Its handicap is such that of the labelled classes' calibration faces at most
        `takeover_rate` are lost to discovered classes, all together; a face that would go to a wrong
        labelled class without them is none that could be lost. That budget is for guesses: the handicap of a
        class that a person has vouched for has hardly more errors than the fewest on calibration faces, its
        own and those of the labelled classes.

        Args:
            network: frozen from now on.
            outputs: class ids of its own head, in order.
            memory: remembered faces under registry ids.
            calibration: held-out faces under registry ids.
            labelled: ids of the classes that were labelled, not discovered.
            doubt: the rates to keep.
            vouched: ids of the discovered classes of which a person has said that they are one.
        """
        vectors, _ = embed(network, memory.images)
        head = AnalyticHead(network.embedding_size)
        weights = balanced_weights(memory.weights, memory.class_ids, labelled)
        head.add(vectors, memory.class_ids, weights)
        held_out, _ = embed(network, calibration.images)
        leads = _leads(head, held_out, calibration.class_ids, labelled)
        handicaps = _handicaps(leads, calibration.class_ids, labelled, vouched, doubt.takeover_rate)
        head.calibrate(held_out, calibration.class_ids)
        answer = cls(
            network=network,
            outputs=outputs,
            version=UNKNOWN,
            head=head,
            handicaps=handicaps,
            vouched=vouched,
            exemplars=vectors,
            exemplar_ids=memory.class_ids,
            score=doubt.score,
            false_alarm_rate=doubt.false_alarm_rate,
        )
        answer.doubts = answer._score.score(held_out)
        answer.held_out = held_out
        answer.exemplar_faces = memory.face_ids
        return answer

    @property
    def class_ids(self) -> NDArray[np.int64]:
        """`(C,)` registry ids that it can answer, in ascending order."""
        return self.head.class_ids

    @property
    def kept_rate(self) -> float:
        """The false-alarm rate of `attribute`: a face with a p-value up to it is unknown.

        With few calibration faces no p-value is as low as the rate that was asked for, and nothing could be
        unknown. What is more unusual than all of them is unknown then.
        """
        return max(self.false_alarm_rate, 1 / (self.doubts.size + 1))

    def embed(self, face_ids: NDArray[np.int64], images: NDArray[np.uint8]) -> Embeddings:
        """Embed `(N, 3, H, W)` faces."""
        vectors, _ = embed(self._frozen, images)
        return Embeddings(face_ids, vectors, self.version)

    @cached_property
    def _frozen(self) -> Network:
        return for_inference(self.network)

    def attribute(self, embeddings: Embeddings) -> Attributions:
        """Attribute embedded faces."""
        scores = self.scores(embeddings.vectors)
        probabilities = softmax(scores / self.head.temperature, axis=1)
        p_values = conformal_p_values(self.doubts, self._score.score(embeddings.vectors))
        best = scores.argmax(axis=1)
        class_ids = np.where(p_values <= self.kept_rate, UNKNOWN, self.class_ids[best])
        return Attributions(
            embeddings.face_ids,
            class_ids.astype(np.int64),
            probabilities[np.arange(len(best)), best],
            p_values,
            embeddings.model_version,
        )

    def scores(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the head's `(N, C)` scores of `(N, D)` embeddings, less the handicaps."""
        handicaps = np.array([self.handicaps.get(class_id, 0.0) for class_id in self.class_ids.tolist()])
        scores: NDArray[np.float64] = self.head.scores(vectors) - handicaps
        return scores

    def taken_for(
        self, vectors: NDArray[np.float32], among: frozenset[int] | None = None
    ) -> NDArray[np.int64]:
        """Return the `(N,)` likeliest classes of `(N, D)` embeddings, those of unusual faces too.

        Args:
            vectors: of this model.
            among: ids of the classes to choose from; all where none are named.
        """
        columns = np.isin(self.class_ids, list(self.class_ids if among is None else among))
        best: NDArray[np.int64] = self.class_ids[columns][self.scores(vectors)[:, columns].argmax(axis=1)]
        return best

    def follow(self, moves: dict[int, int | None]) -> None:
        """Do what operators decided since the head was fitted: exact, and without training.

        A class that it has not learned yet answers for the learned ones that were merged into it.

        Args:
            moves: class ids that live no longer, with the class that each was merged into, or none where it
                was rejected.
        """
        learned = set(self.class_ids.tolist())
        for source in sorted(learned & moves.keys()):
            target = moves[source]
            if target is None:
                self.head.reject(source)
            elif target in learned:
                self.head.merge(source, target)
            else:
                self.head.restore(target, self.head.reject(source))
                self.handicaps[target] = self.handicaps.get(source, 0.0)
                learned.add(target)

    def save(self, path: Path, description: dict[str, Any]) -> None:
        """Write a checkpoint; `description` holds what builds the network."""
        arrays = {f"head.{name}": array for name, array in self.head.state().items()}
        arrays |= {
            "exemplars": self.exemplars,
            "exemplar_ids": self.exemplar_ids,
            "doubts": self.doubts,
            "held_out": self.held_out,
            "exemplar_faces": self.exemplar_faces,
        }
        facts = {
            "outputs": list(self.outputs),
            "handicaps": {str(class_id): value for class_id, value in self.handicaps.items()},
            "vouched": sorted(self.vouched),
            "score": self.score,
            "false_alarm_rate": self.false_alarm_rate,
        }
        checkpoint.save(path, self.network, {**description, **facts}, arrays)

    @classmethod
    def load(cls, path: Path, version: ModelVersion) -> Answer:
        """Read what `save` wrote.

        Raises:
            BadInput: if the checkpoint is missing or damaged.
        """
        network, facts, arrays = checkpoint.load(path)
        head = AnalyticHead.from_state(
            {name.removeprefix("head."): array for name, array in arrays.items() if name.startswith("head.")}
        )
        handicaps = {int(class_id): float(value) for class_id, value in facts["handicaps"].items()}
        answer = cls(
            network=network,
            outputs=tuple(facts["outputs"]),
            version=version.id,
            head=head,
            handicaps=handicaps,
            vouched=frozenset(facts.get("vouched", ())),
            exemplars=arrays["exemplars"],
            exemplar_ids=arrays["exemplar_ids"],
            score=facts["score"],
            false_alarm_rate=facts["false_alarm_rate"],
        )
        answer.doubts = arrays["doubts"]
        answer.held_out = arrays.get("held_out", answer.held_out)
        answer.exemplar_faces = arrays.get("exemplar_faces", answer.exemplar_faces)
        return answer


def _leads(
    head: AnalyticHead, vectors: NDArray[np.float32], class_ids: NDArray[np.int64], labelled: frozenset[int]
) -> dict[int, NDArray[np.float64]]:
    """Return by how much each discovered class leads the best labelled one: id → `(M,)`.

    On a face of a labelled class for which another one of these is the best, that is minus infinity: whoever
    takes it, it is not lost by that.
    """
    ours = np.isin(head.class_ids, list(labelled))
    scores = head.scores(vectors)
    best = head.class_ids[ours][scores[:, ours].argmax(axis=1)]
    wrong = np.isin(class_ids, list(labelled)) & (best != class_ids)
    leads = scores[:, ~ours] - scores[:, ours].max(axis=1, keepdims=True)
    leads[wrong] = -np.inf
    return dict(zip(head.class_ids[~ours].tolist(), leads.T, strict=True))


def _handicaps(
    leads: dict[int, NDArray[np.float64]],
    class_ids: NDArray[np.int64],
    labelled: frozenset[int],
    vouched: frozenset[int],
    rate: float,
) -> dict[int, float]:
    """Return what is taken off each discovered class's score, from its leads on `(M,)` held-out faces."""
    ours = np.isin(class_ids, list(labelled))
    guesses = [class_id for class_id in leads if class_id not in vouched]
    found = {
        class_id: handicap_with_few_errors(leads[class_id][ours], leads[class_id][class_ids == class_id])
        for class_id in leads
        if class_id in vouched
    }
    if guesses:
        on_theirs = np.stack([leads[class_id][ours] for class_id in guesses], axis=1)
        found |= zip(guesses, handicaps_within_budget(on_theirs, rate).tolist(), strict=True)
    return found

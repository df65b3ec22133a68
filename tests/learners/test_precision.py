"""Under mixed precision, losses and statistics are what they are without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from owcl.learners.consistency import agreed_confidences, consistency_loss, reinforcement_loss
from owcl.learners.contrastive import cosine_logits, info_nce, self_distillation, supervised_contrastive
from owcl.learners.distillation import feature_distillation
from owcl.learners.losses import group_entropy, mean_entropy, pair_loss

ROWS = torch.arange(48)
KNOWN = torch.arange(10) < 6

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosines": cosine_logits,
    "self-distillation": lambda first, second: self_distillation(first, second, 0.04),
    "contrast": lambda first, second: info_nce(normalize(first, dim=1), normalize(second, dim=1), 0.1),
    "labelled contrast": lambda first, second: supervised_contrastive(
        normalize(first, dim=1), normalize(second, dim=1), ROWS % 5, 0.07
    ),
    "consistency": lambda first, second: consistency_loss(first, second, 0.2),
    "statistics": lambda first, second: agreed_confidences(first, first + 0.1 * second, KNOWN),
    "reinforcement": lambda first, second: reinforcement_loss(first, second, KNOWN, (0.2, 0.2)),
    "distillation": feature_distillation,
    "entropy": lambda first, _: mean_entropy(first),
    "entropy by group": lambda first, _: group_entropy(first, 6),
    "pairs": lambda first, _: pair_loss(first, ROWS.flip(0)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_mixed_precision_rounds_nothing_off(name: str) -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, len(ROWS), len(KNOWN), generator=rng)
    expected = LOSSES[name](first, second)
    with torch.autocast("cpu", torch.bfloat16):
        found = LOSSES[name](first, second)
    assert found.dtype == torch.float32
    assert_close(found, expected, atol=1e-6, rtol=1e-6)

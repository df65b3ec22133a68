from __future__ import annotations

import numpy as np
import torch

from owcl.models.randomness import seeded, torch_randomness


def test_the_same_rng_draws_the_same_seed_and_its_next_draw_another() -> None:
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    first, second = torch_randomness(rng), torch_randomness(rng)
    assert first.initial_seed() == torch_randomness(again).initial_seed()
    assert first.initial_seed() != second.initial_seed()


def test_a_seed_decides_first_weights_and_leaves_no_trace() -> None:
    before = torch.random.get_rng_state()
    with seeded(7):
        first = torch.nn.Linear(4, 3)
    with seeded(7):
        again = torch.nn.Linear(4, 3)
    with seeded(8):
        other = torch.nn.Linear(4, 3)
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(torch.random.get_rng_state(), before)

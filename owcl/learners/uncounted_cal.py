"""CAL that is not told how many classes there are: a head with far too many outputs, of which few stay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from owcl.learners import cal
from owcl.learners.base import UNLABELLED
from owcl.memory.pruning import Merged, pruned
from owcl.models.network import Network

OUTPUTS_PER_KNOWN = 10
"""Of the over-complete head, for each class that has labels."""


@dataclass(frozen=True)
class Recipe(cal.Recipe):
    """What a flavour of CAL without the number is made of; ours by default."""

    first: int = 3
    """Epoch after which outputs go for the first time: before that, they are what chance made them."""
    merged: Merged = "mean"
    """Length of rows that others were merged into."""
    smallest_share: float = 0.01
    """Of the last epoch's answers, which an output must have given to stay in the end, so that there may be
    none that is new; as released, one always stays."""


OFFICIAL = Recipe(**vars(cal.OFFICIAL), first=0, merged="unit", smallest_share=0.0)
"""The preset `official_cal` without the number of classes."""


class UncountedCAL(cal.CAL):
    """CAL on an over-complete head: after every epoch, outputs that are hardly used are merged into others.

    Args:
        network: what learns; its head has outputs for the known classes, and far more than can be new.
        rng: draws the views.
        recipe: ours by default, or `OFFICIAL`.
        teacher: the last accepted model, for distillation; its outputs come first and stay.

    Source:
        CAL, dynamic prototype pruning (DPP).
    """

    recipe: Recipe

    def __init__(
        self,
        network: Network,
        rng: torch.Generator,
        recipe: Recipe | None = None,
        teacher: Network | None = None,
    ) -> None:
        super().__init__(network, rng, Recipe() if recipe is None else recipe, teacher)
        self.outputs = Outputs(network.num_classes)

    def from_logits(self, weak: Tensor, strong: Tensor, labels: Tensor, known: Tensor) -> dict[str, Tensor]:
        """Return the losses of `(B, C)` logits, of which only those in use count."""
        outputs = self.outputs.in_use
        weak, strong = weak[:, outputs], strong[:, outputs]
        counted = weak if self.recipe.everyone else weak[labels == UNLABELLED]
        self.outputs.count(counted.argmax(dim=1))
        places = torch.where(labels == UNLABELLED, labels, torch.searchsorted(outputs, labels))
        return super().from_logits(weak, strong, places, known[outputs])

    def end_epoch(self) -> None:
        """Take the threshold from the tally, and let outputs go."""
        super().end_epoch()
        if int(self.state[0]) >= self.recipe.first:
            self.outputs.prune(self.network.head.weight, self.known, self.recipe.merged)
        self.outputs.usage.zero_()

    def settle(self) -> None:
        """Leave the head the outputs that are in use and answered; after it nothing is learned."""
        kept = self.outputs.worth_keeping(self.known, self.recipe.smallest_share)
        self.network.set_outputs(self.network.head.weight.detach()[kept])


class Outputs(nn.Module):
    """Which outputs of a head are in use, and how often each of them answered.

    Rows of the head stay at their place: the number of an output is its name for good, and the optimiser's
    state stays with the row that it is of. A row that others were merged into keeps its state; begun anew
    beside the step count of all others, Adam would let it jump.

    Args:
        count: of the head.
    """

    home: Tensor
    usage: Tensor

    def __init__(self, count: int) -> None:
        super().__init__()
        # For each output the one that it was merged into; itself while it is in use.
        self.register_buffer("home", torch.arange(count))
        self.register_buffer("usage", torch.zeros(count, dtype=torch.long))

    @property
    def in_use(self) -> Tensor:
        """`(K,)` outputs in use, ascending."""
        return (self.home == torch.arange(len(self.home), device=self.home.device)).nonzero()[:, 0]

    def count(self, answers: Tensor) -> None:
        """Count `(B,)` answers, which are places among the outputs in use."""
        self.usage += self.in_use[answers].bincount(minlength=len(self.usage))

    @torch.no_grad()
    def prune(self, weight: Tensor, known: Tensor, merged: Merged) -> None:
        """Merge the outputs that were hardly used into those that are most like them.

        Args:
            weight: `(C, F)` of the head; rows that others are merged into are changed.
            known: `(C,)` bool, outputs that stay whatever their use.
            merged: their length.
        """
        rows = self.in_use[~known[self.in_use]]
        if not len(rows):
            return
        found = pruned(weight[rows].double().cpu().numpy(), self.usage[rows].cpu().numpy(), merged=merged)
        kept = rows[torch.from_numpy(found.rows).to(rows.device)]
        weight[kept] = torch.from_numpy(found.prototypes).to(weight)
        self.home[rows] = kept[torch.from_numpy(found.absorbed).to(rows.device)]
        # What was merged into a row before has moved with it.
        self.home.copy_(self.home[self.home])

    def worth_keeping(self, known: Tensor, smallest_share: float) -> Tensor:
        """Return those outputs in use that are known, or gave so large a share of the answers."""
        rows = self.in_use
        enough = self.usage[rows] >= smallest_share * self.usage.sum()
        return rows[known[rows] | enough]

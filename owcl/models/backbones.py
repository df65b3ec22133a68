"""Backbones: pixels to feature maps, from timm by name or small enough to be trained on a laptop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from owcl.errors import BadInput

FORENSIC = "forensic_small"
GUIDED = {"+frequency": True, "+frequency_unnormalised": False}
"""At the end of a backbone's name: with frequency-guided attention in front, by an orthonormal transform or
by that of the code released with CAL."""


class Backbone(Protocol):
    """What a network needs of a backbone: an `nn.Module` that says how wide its stages are."""

    widths: tuple[int, ...]
    """Channels of the feature maps that `forward` returns, earliest first."""

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Return one `(B, F, h, w)` map a stage of `(B, 3, H, W)` images in [-1, 1]."""
        ...


class NoiseResidual(nn.Conv2d):
    """A convolution that cannot see brightness: each of its kernels sums to zero.

    What is left of a face is the fine residual in which generators leave their traces.

    Source:
        Bayar and Stamm, Constrained convolutional neural networks, IEEE TIFS 2018, with their constraint
        on the centre replaced by a zero mean.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return `(B, F, H, W)` residuals of `(B, 3, H, W)` images."""
        kernels = self.weight - self.weight.mean(dim=(2, 3), keepdim=True)
        return functional.conv2d(images, kernels, self.bias, padding=self.padding)


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside a pooled shortcut; halves the sides of the map."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(self.body(features).add_(self.shortcut(features)), inplace=True)


class ForensicBackbone(nn.Module):
    """A compact residual network behind a noise-residual stem, for faces of 64 to 128 pixels.

    The first two convolutions keep the full resolution, since up-sampling and blending leave their marks
    in single pixels; then every stage halves it. 1.2 million weights. The full resolution takes most of the
    time: with 24 channels instead of 16, a step takes 1.4 times as long; on `forge64` (three seeds)
    supervised learning gains 0.7 points, which is within the spread, and discovery none.
    """

    widths = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            NoiseResidual(3, 16, 5, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.Conv2d(16, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            _Residual(16, 32),
        )
        self.stages = nn.ModuleList([_Residual(32, 64), _Residual(64, 128), _Residual(128, 256)])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the last three stages' `(B, F, h, w)` maps of `(B, 3, H, W)` images."""
        features = self.stem(2 * images)
        maps = []
        for stage in self.stages:
            features = stage(features)
            maps.append(features)
        return maps


class Standardised(nn.Module):
    """A backbone that sees images by the mean and the deviation of those that its weights were made with.

    Args:
        body: the backbone.
        mean: of each channel in [0, 1].
        deviation: of each channel in [0, 1].
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, body: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.body = body
        self.widths = cast(Backbone, body).widths
        # From [0, 1] to [-1, 1]. Kept with the weights, which mean nothing without them.
        self.register_buffer("mean", 2 * torch.tensor(mean)[:, None, None] - 1)
        self.register_buffer("deviation", 2 * torch.tensor(deviation)[:, None, None])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the body's maps of `(B, 3, H, W)` images in [-1, 1]."""
        maps: list[Tensor] = self.body((images - self.mean) / self.deviation)
        return maps


class TimmBackbone(nn.Module):
    """The last two stages of a timm model, for images that are standardised already.

    Args:
        name: as `timm.list_models` gives them.
        pretrained: fetch the weights from the hub.

    Raises:
        BadInput: if timm has no such model, or the hub cannot be reached.
    """

    def __init__(self, name: str, pretrained: bool = False) -> None:
        super().__init__()
        self.body = _timm_model(name, pretrained)
        widths: Any = self.body.feature_info
        self.widths: tuple[int, ...] = tuple(widths.channels())
        made_with: Any = self.body.pretrained_cfg
        self.mean: tuple[float, ...] = made_with["mean"]
        self.deviation: tuple[float, ...] = made_with["std"]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return two `(B, F, h, w)` maps of `(B, 3, H, W)` images."""
        maps: list[Tensor] = self.body(images)
        return maps


def build_backbone(name: str = FORENSIC, weights: str | None = None) -> nn.Module:
    """Make a backbone.

    Args:
        name: `forensic_small` or any timm model, with one of `GUIDED` at its end for attention in front.
        weights: none for random ones, `pretrained` for those of timm's hub, else a safetensors file.

    Raises:
        BadInput: if there is no such backbone, file or hub, or the file does not fit.
    """
    plain = next((name.removesuffix(suffix) for suffix in GUIDED if name.endswith(suffix)), name)
    pretrained = weights == "pretrained"
    if plain == FORENSIC and pretrained:
        raise BadInput(
            f"backbone: {FORENSIC} has no weights on a hub. Random weights or a safetensors file are "
            "expected. Train it on labelled faces with `owcl train`."
        )
    body = ForensicBackbone() if plain == FORENSIC else TimmBackbone(plain, pretrained)
    if weights is not None and not pretrained:
        _load(body, Path(weights))
    guided = _guided(body, name.removeprefix(plain))
    return Standardised(guided, body.mean, body.deviation) if isinstance(body, TimmBackbone) else guided


def _guided(body: nn.Module, suffix: str) -> nn.Module:
    if not suffix:
        return body
    from owcl.models.frequency import FrequencyGuided

    return FrequencyGuided(body, GUIDED[suffix])


def _timm_model(name: str, pretrained: bool) -> nn.Module:
    import timm

    if not timm.is_model(name):
        near = timm.list_models(f"*{name}*")[:5] or timm.list_models(f"*{name.split('_')[0]}*")[:5]
        raise BadInput(
            f'backbone: there is no model "{name}". {FORENSIC} or a timm model is expected, for example '
            f"{', '.join(near) or 'resnet18'}. Correct the name in owcl.toml."
        )
    create: Callable[..., nn.Module] = timm.create_model
    try:
        return create(name, pretrained=pretrained, features_only=True, out_indices=(-2, -1))
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise BadInput(
            f"backbone: the weights of {name} could not be fetched: {error}. A connection to the hub "
            "is expected for pretrained weights. Download the safetensors file elsewhere and name it as the "
            "weights, or train from random ones."
        ) from error


def _load(backbone: nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    body = backbone.body if isinstance(backbone, TimmBackbone) else backbone
    try:
        missing, _ = body.load_state_dict(load_file(path), strict=False)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BadInput(
            f"{path}: these weights cannot be loaded: {error}. A safetensors file of the same architecture "
            "is expected. Check the path and the backbone's name."
        ) from error
    if missing:
        raise BadInput(
            f"{path}: {len(missing)} weights are missing, the first is {missing[0]}. A file of the same "
            "architecture is expected. Check the backbone's name."
        )

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from owcl.errors import BadInput
from owcl.models import checkpoint
from owcl.models.backbones import NoiseResidual, Standardised, build_backbone
from owcl.models.embed import embed, for_inference
from owcl.models.frequency import FrequencyAttention, FrequencyGuided
from owcl.models.network import Network, with_outputs


@pytest.fixture(scope="module")
def network() -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(build_backbone(), 3).eval()


def _images(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 3, 64, 64), np.uint8)


def test_the_stem_cannot_see_brightness() -> None:
    stem = NoiseResidual(3, 4, 5, padding=2, bias=False)
    flat = torch.full((1, 3, 12, 12), 0.7)
    assert stem(flat)[:, :, 2:-2, 2:-2].abs().max() < 1e-5


def test_embeddings_have_unit_length(network: Network) -> None:
    vectors, logits = embed(network, _images(5))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert vectors.shape == (5, network.embedding_size)
    assert logits.shape == (5, 3)


def test_folding_normalisations_into_convolutions_changes_no_embedding(network: Network) -> None:
    trained = copy.deepcopy(network)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for module in trained.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2)
                torch.nn.init.normal_(module.bias, std=0.1)
    frozen = for_inference(trained)
    for ours, theirs in zip(embed(frozen, _images(20)), embed(trained, _images(20)), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5)
    norms = [module for module in frozen.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms == []


def test_an_embedding_does_not_depend_on_what_came_with_it(network: Network) -> None:
    images = _images(70)
    together, _ = embed(network, images)
    alone, _ = embed(network, images[66:67])
    assert (alone[0] == together[66]).all()


def test_no_face_has_no_embedding(network: Network) -> None:
    vectors, logits = embed(network, _images(0))
    assert vectors.shape == (0, network.embedding_size)
    assert logits.shape == (0, 3)


def test_outputs_that_stay_keep_their_weights(network: Network) -> None:
    grown = with_outputs(network, [4, 5, 9], [5, 9, 12], torch.Generator().manual_seed(1))
    assert torch.equal(grown.head.weight[:2], network.head.weight[1:])
    assert grown.head.weight[2].abs().max() < 0.01
    assert network.num_classes == 3


def test_the_shift_of_the_neck_is_frozen_at_zero() -> None:
    learning = Network(build_backbone(), 2)
    optimiser = torch.optim.SGD([w for w in learning.parameters() if w.requires_grad], 0.1)
    learning(torch.rand(4, 3, 64, 64)).logits.square().sum().backward()
    optimiser.step()
    assert learning.neck.bias.abs().max() == 0


def test_saved_and_loaded_gives_the_same(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "models" / "one.safetensors"
    checkpoint.save(path, network, {"backbone": "forensic_small", "note": "x"}, {"doubts": np.arange(3.0)})
    loaded, description, arrays = checkpoint.load(path)
    assert (embed(loaded, _images(4))[0] == embed(network, _images(4))[0]).all()
    assert description["note"] == "x"
    assert arrays["doubts"].tolist() == [0, 1, 2]


def test_a_damaged_checkpoint_says_so(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    checkpoint.save(path, network, {"backbone": "forensic_small"}, {})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadInput, match="the model cannot be read"):
        checkpoint.load(path)


def test_weights_of_another_version_are_refused_in_words(network: Network, tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    checkpoint.save(path, network, {"backbone": "resnet10t"}, {})
    with pytest.raises(BadInput, match="do not fit their backbone"):
        checkpoint.load(path)


def test_any_timm_backbone_serves_by_name() -> None:
    served = Network(build_backbone("resnet10t"), 2)
    vectors, _ = embed(served, _images(2))
    assert vectors.shape == (2, served.embedding_size)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    assert (embed(served, _images(2))[0] == vectors).all()


@pytest.mark.parametrize("name", ["resnet10t", "resnet10t+frequency"])
def test_a_timm_backbone_sees_images_standardised_as_its_weights_were_made(name: str) -> None:
    served = build_backbone(name).eval()
    assert isinstance(served, Standardised)
    # A deviation above ImageNet's mean in every channel is 1: of red, (0.714 - 0.485) / 0.229.
    pixels = torch.tensor([0.714, 0.680, 0.631])[:, None, None].expand(1, 3, 64, 64)
    for ours, theirs in zip(served(2 * pixels - 1), served.body(torch.ones(1, 3, 64, 64)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("suffix", "orthonormal"), [("+frequency", True), ("+frequency_unnormalised", False)]
)
def test_attention_in_front_multiplies_the_last_map(suffix: str, orthonormal: bool) -> None:
    guided = build_backbone(f"forensic_small{suffix}").eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert isinstance(guided, FrequencyGuided)
    assert guided.attention.orthonormal == orthonormal
    with torch.inference_mode():
        *early, last = guided(images)
        *plain_early, plain = guided.body(images)
        attention = guided.attention(images)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(early, plain_early, strict=True))
    # 64 pixels, 4 places: each stands for the mean of a block of 16 by 16.
    blocks = attention.reshape(2, 1, 4, 16, 4, 16).mean(dim=(3, 5))
    torch.testing.assert_close(last, plain * blocks)


def test_attention_that_answered_first_learns_afterwards_and_saves_no_transform() -> None:
    attention = FrequencyAttention()
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answered = attention(images)
    learning = attention(images)
    learning.sum().backward()
    assert torch.equal(answered, learning.detach())
    assert all(weight.grad is not None for weight in attention.parameters())
    assert set(attention.state_dict()) == {name for name, _ in attention.named_parameters()}


def test_the_transform_goes_where_the_weights_go() -> None:
    # The meta device stands for another one than the processor, which every machine has.
    attention = FrequencyAttention()
    attention(torch.zeros(1, 3, 8, 8))
    assert {held.device.type for held in attention.to("meta").buffers()} == {"meta"}


def test_an_unknown_backbone_is_answered_with_examples() -> None:
    with pytest.raises(BadInput, match='there is no model "resnet999"'):
        build_backbone("resnet999")


def test_pretrained_weights_of_the_small_backbone_are_refused() -> None:
    with pytest.raises(BadInput, match="no weights on a hub"):
        build_backbone("forensic_small", "pretrained")


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"something": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(BadInput, match="weights are missing"):
        build_backbone("forensic_small", str(tmp_path / "w.safetensors"))


def test_backbone_weights_are_read_from_a_file(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    original = build_backbone()
    save_file(original.state_dict(), tmp_path / "w.safetensors")
    again = build_backbone("forensic_small", str(tmp_path / "w.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(original.parameters(), again.parameters(), strict=True))

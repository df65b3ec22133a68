"""The forgery methods by name, with their families."""

from __future__ import annotations

from importlib import import_module

from scenarios.mechanisms.base import Mechanism

_PACKAGE = "scenarios.mechanisms"
METHODS: dict[str, tuple[str, str]] = {
    "feathered_swap": ("identity_swap", "identity_swap:feathered_swap"),
    "gradient_swap": ("identity_swap", "identity_swap:gradient_swap"),
    "self_blend": ("identity_swap", "identity_swap:self_blend"),
    "feature_warp": ("expression_transfer", "expression_transfer:feature_warp"),
    "reenactment": ("expression_transfer", "expression_transfer:reenactment"),
    "inpainting": ("attribute_manipulation", "attribute_manipulation:inpainting"),
    "beauty_filter": ("attribute_manipulation", "attribute_manipulation:beauty_filter"),
    "recolouring": ("attribute_manipulation", "attribute_manipulation:recolouring"),
    "transposed_convolution": ("entire_face_synthesis", "synthesis:transposed_convolution"),
    "nearest_neighbour": ("entire_face_synthesis", "synthesis:nearest_neighbour"),
    "sub_pixel": ("entire_face_synthesis", "synthesis:sub_pixel"),
    "vector_quantisation": ("entire_face_synthesis", "synthesis:vector_quantisation"),
    "denoising": ("entire_face_synthesis", "synthesis:denoising"),
}
"""Name → family, and where the mechanism is."""

PLAN_KNOWN = (
    "real",
    "transposed_convolution",
    "denoising",
    "feathered_swap",
    "beauty_filter",
    "feature_warp",
)
PLAN_NOVEL: tuple[tuple[str, ...], ...] = (
    ("sub_pixel", "inpainting"),
    ("vector_quantisation",),
    (),
    ("nearest_neighbour", "reenactment"),
    ("self_blend", "recolouring"),
)
"""The stream of the built scenarios: arrivals of four families, and one experience without any."""


def mechanism(name: str) -> Mechanism:
    """Return the function that makes a method's forgeries."""
    module, function = METHODS[name][1].split(":")
    found: Mechanism = getattr(import_module(f"{_PACKAGE}.{module}"), function)
    return found

"""Continual, open-world attribution of deepfakes."""

__version__ = "0.1.0"

"""Bytes to pixels: sources, decoding, face crops, the one resize, training views."""

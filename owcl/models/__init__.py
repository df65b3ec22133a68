"""Pixels to vectors: backbones, the growing head, embedding in batches, checkpoints."""

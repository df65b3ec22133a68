"""Embeddings to known or novel, and novel ones to clusters and classes."""

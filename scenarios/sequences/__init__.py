"""Faces whose components were edited one after another, with masks and the order known."""

"""Forgery mechanisms, one family a file, for rendered faces and for photographs alike.

Each is a function of a face, a donor and a source of randomness; images are `(S, S, 3)` float32 in [0, 1].
"""

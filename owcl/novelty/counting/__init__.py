"""How many new classes are in the pool? One estimator a file."""

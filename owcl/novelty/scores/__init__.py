"""Open-set scores, one a file; higher is more novel, for every one of them."""

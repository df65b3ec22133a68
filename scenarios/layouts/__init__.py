"""Published folder trees, one layout a file."""

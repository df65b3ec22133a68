"""The order of steps: one verb of the user a file, each a few transactions on the store."""

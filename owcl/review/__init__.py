"""The page on which operators look at discoveries and decide about them."""

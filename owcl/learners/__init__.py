"""How classes are learned: one learner a file, composed of pure formulas."""

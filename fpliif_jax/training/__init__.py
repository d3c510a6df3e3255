"""A run from the checks before it to its scores: the training step, and the loop that goes through its stages."""

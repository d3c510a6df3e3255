"""The training step and the loop that goes through the stages of a run."""

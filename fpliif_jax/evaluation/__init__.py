"""Scores of checkpoints, and the files that they are left in."""

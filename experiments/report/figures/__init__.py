"""A study in pictures."""

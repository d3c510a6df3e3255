"""What is to be run: the papers' tables as lists of variants, at three scales."""

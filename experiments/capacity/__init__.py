"""What programs take on chips that are not here: compiled for them, never run. `python -m experiments.capacity`."""

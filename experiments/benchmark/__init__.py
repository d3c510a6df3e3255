"""Measures speed and memory, beside PyTorch where it is installed: python -m experiments.benchmark."""

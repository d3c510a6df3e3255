"""Measures trained weights in use, and the files that are made of them: python -m experiments.benchmark.deployment."""

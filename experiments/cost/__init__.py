"""What a model costs, in parameters and operations: python -m experiments.cost."""

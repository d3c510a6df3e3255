"""What `experiments.benchmark` measures: each file is a part, or what belongs to one, of its `--parts`."""

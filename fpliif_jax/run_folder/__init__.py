"""What lies in the folder of a run: checkpoints, config, records, and its lock."""

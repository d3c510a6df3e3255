"""The way from a prepared data set to batches of resized examples."""

"""What runs say beside the papers and beside each other: the study that a report shows."""

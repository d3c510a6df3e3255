"""What the machine gives: files, locks, standard streams and cores."""

"""What every command shares: its arguments and errors, signals, and compiled functions kept on the disk."""

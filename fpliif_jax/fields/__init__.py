"""Every field of a config: what it may be, what it decides, and the list of them for people."""

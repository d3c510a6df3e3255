"""Raw downloads: which files make a set, what they hold, and what is unusual about them."""

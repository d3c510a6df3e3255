"""How well a model labels groups of drawn faces; the drawing knows exactly which face is in which."""

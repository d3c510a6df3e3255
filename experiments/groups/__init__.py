"""How well models label groups and kinds of drawn faces; the drawing knows exactly which face is in which."""

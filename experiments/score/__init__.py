"""Label maps that any system made, scored under every protocol of the field at once."""

"""Pictures of label maps: colours, palette PNGs, overlays on photos, sheets of predictions beside the truth."""

"""STN-iCNN: end-to-end face parsing with a spatial transformer between two stages."""

"""The six parts of a face: their names, and their classes in `class_names.FACIAL_PARTS`."""

PART_NAMES = ("brow1", "brow2", "eye1", "eye2", "nose", "mouth")
# Class ids of each part; the mouth's are upper lip, inner mouth and lower lip.
PART_LABELS = ((1,), (2,), (3,), (4,), (5,), (6, 7, 8))

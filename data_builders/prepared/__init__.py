"""Prepared sets on the disk: their notes and locks, and examples that are compared before they are believed."""

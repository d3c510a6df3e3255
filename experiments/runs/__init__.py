"""Runs as a study finds them: read without trust, and grouped by everything but the seed."""

"""Layers and operations on grids that more than one system is made of."""

"""Folders that are whole or not there, and arrays whose damage is noticed."""

"""Readers of the files that people already have, each into the rows of an import."""

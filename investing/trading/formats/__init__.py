"""Readers of the files that brokers and other programs export, each into the rows of an import."""

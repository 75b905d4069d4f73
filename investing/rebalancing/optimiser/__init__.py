"""The optimiser: a process of its own, and how the server uses it."""

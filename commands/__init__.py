"""The commands: each parses, calls the floors, and says what came of it in one line."""

"""Reading a whole tree of rows as JSON text, in one statement."""

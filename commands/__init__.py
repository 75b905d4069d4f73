"""The command line's commands: each parses its arguments, calls the layers below, and prints the outcome."""

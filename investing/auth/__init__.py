"""The door: passwords, keys, tokens, and who comes in with them."""

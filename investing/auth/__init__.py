"""Authentication: passwords, keys, tokens, and the logins that they belong to."""

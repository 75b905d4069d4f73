"""Users, logins, refresh tokens, keys and the audit log."""

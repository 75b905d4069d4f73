"""Users, logging in, broker keys and the audit log."""

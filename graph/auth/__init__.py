"""Users, the door, broker keys and the audit log."""

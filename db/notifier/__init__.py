"""Change notifications: that something of an owner's has changed, and nothing of what it was."""

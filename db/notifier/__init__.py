"""Change notifications: that something of an owner's has changed, but not how."""

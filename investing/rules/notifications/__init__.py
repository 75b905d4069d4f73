"""Rules about notifications: what one says, where it may be sent and when it is retried."""

"""What a notification says, where it may go and when it is tried again."""

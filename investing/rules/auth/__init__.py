"""What an identity and its secrets may be."""

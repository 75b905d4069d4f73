"""Rules about alert rules: what one may be, and when it fires."""

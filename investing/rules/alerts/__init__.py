"""When an alert rule fires."""

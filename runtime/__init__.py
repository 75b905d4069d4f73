"""What lives as long as a process does: its services, their supervisor, and its log."""

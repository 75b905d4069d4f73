"""What lives as long as a process does: its services, who supervises them, and its log."""

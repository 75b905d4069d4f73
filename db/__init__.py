"""What is stored, and all the SQL."""

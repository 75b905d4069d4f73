"""Rules about instruments and about the days and hours of their markets."""

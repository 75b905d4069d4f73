"""Instruments and the days and hours of their markets."""

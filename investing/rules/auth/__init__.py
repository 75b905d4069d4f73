"""Rules about users, their credentials and their tokens."""

"""Alert rules, alerts and their deliveries."""

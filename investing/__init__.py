"""What an investor may do: rules and services."""

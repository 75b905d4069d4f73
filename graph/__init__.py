"""The GraphQL API: what a client sees."""

"""The transport: HTTP, server-sent events and WebSocket around one schema."""

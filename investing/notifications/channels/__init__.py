"""How notifications travel: by mail, as webhooks, and through the services that apprise knows."""

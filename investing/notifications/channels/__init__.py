"""The channels that notifications are sent by: mail, webhooks, and the services that apprise supports."""

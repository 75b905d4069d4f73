"""Global ids as text: the ids by which API clients and receivers of notifications know a row."""

from base64 import urlsafe_b64encode
from uuid import UUID


def encode_global_id(type_name: str, id: UUID) -> str:
    """Return the opaque id of a row, made of its type's name in the API and its own id."""
    return urlsafe_b64encode(f"{type_name}:{id}".encode()).decode()

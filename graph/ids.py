"""Global ids: opaque to clients; here the type's name and the row's id."""

import binascii
from base64 import urlsafe_b64decode
from uuid import UUID

import strawberry

from graph.errors import BadUserInput
from investing.global_ids import encode_global_id


def global_id(type_name: str, id: UUID) -> strawberry.ID:
    """Return the id that a client sees."""
    return strawberry.ID(encode_global_id(type_name, id))


def global_id_of_text(type_name: str, id: str) -> str:
    """Return the id that a client sees, of a row's id as text."""
    return global_id(type_name, UUID(id))


def parse_global_id(text: str) -> tuple[str, UUID]:
    """Return the type's name and the row's id. Raise BadUserInput if the text is not a global id."""
    try:
        type_name, separator, id = urlsafe_b64decode(text.encode()).decode().partition(":")
        if separator and global_id(type_name, UUID(id)) == text:
            return type_name, UUID(id)
    except (binascii.Error, ValueError):
        pass
    raise BadUserInput("This is not an id that this API has given out.")


def id_of(type_name: str, text: str) -> UUID | None:
    """Return the row's id if the text names an object of this type, or None if it is of another type.

    Raise BadUserInput if the text is not a global id.
    """
    found, id = parse_global_id(text)
    return id if found == type_name else None

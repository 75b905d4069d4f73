"""Every root field asks for a permission, and every id of a mutation is asked for."""

import re
from typing import Any

import pytest
from strawberry.permission import BasePermission, PermissionExtension

from graph.mutating import Guard
from graph.permissions import PUBLIC_FIELDS, IsAdmin, IsAuthenticated, Owns
from graph.schema import build_schema
from tests.graph.ownership.documents import fields_of
from tests.graph.ownership.shape import positions

_TYPES = build_schema()._schema
ROOTS = sorted(
    f"{root.name}.{name}"
    for root in (_TYPES.query_type, _TYPES.mutation_type, _TYPES.subscription_type)
    if root is not None
    for name in root.fields
)
_LOGIN = (IsAuthenticated, IsAdmin)


def permissions_of(coordinate: str) -> list[BasePermission]:
    """The permissions that a root field asks for, in their order."""
    type_name, name = coordinate.split(".")
    root: Any = _TYPES.type_map[type_name]
    definition = root.fields[name].extensions["strawberry-definition"]
    guards = [e for e in definition.extensions if isinstance(e, Guard | PermissionExtension)]
    return [permission for guard in guards for permission in guard.permissions]


def test_the_door_is_all_that_is_public() -> None:
    assert {
        "Mutation.register",
        "Mutation.login",
        "Mutation.refreshToken",
        "Mutation.logout",
    } == PUBLIC_FIELDS
    assert set(ROOTS) >= PUBLIC_FIELDS


@pytest.mark.parametrize("coordinate", ROOTS)
def test_a_root_field_asks_who_is_there(coordinate: str) -> None:
    """A login is required before anything else, or nothing is and the field is on the short list."""
    permissions = permissions_of(coordinate)
    if coordinate in PUBLIC_FIELDS:
        assert permissions == []
    else:
        assert permissions, f"{coordinate} has no permission and is not public"
        assert isinstance(permissions[0], _LOGIN), f"{coordinate} asks for something before the login"


@pytest.mark.parametrize("name", sorted(fields_of("Mutation")))
def test_every_id_is_asked_for(name: str) -> None:
    """A mutation has a permission for each place of an id, for the type that belongs there."""
    asked = {
        (permission.path, permission.type_name)
        for permission in permissions_of(f"Mutation.{name}")
        if isinstance(permission, Owns)
    }
    needed = {
        (tuple(_snake(step) for step in position.path), position.type_name)
        for position in positions(name, fields_of("Mutation")[name])
    }
    assert asked == needed


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()

"""Loaders of users, broker keys and audit entries."""

from db.auth.listings import API_KEYS, AUDIT_LOG, USERS
from db.auth.rows import ApiKeyRow, AuditRow, UserRow
from graph.loaders import ById, CountsOf, PagesOf
from investing.auth.types import Viewer


class Users(PagesOf[UserRow]):
    listing = USERS
    as_administrator = True


class UserCount(CountsOf):
    listing = USERS
    as_administrator = True


class UserById(ById[UserRow]):
    """Only ever the viewer: the database shows nobody else to the viewer's connection."""

    listing = USERS


def user_row(viewer: Viewer) -> UserRow:
    """Return the viewer's row of the list of users, which was read already to check the login."""
    return {
        "id": viewer.id,
        "username": viewer.username,
        "email": viewer.email,
        "full_name": viewer.full_name,
        "is_admin": viewer.is_admin,
        "is_active": viewer.is_active,
        "currency": viewer.currency,
        "time_zone": viewer.time_zone,
        "created_at": viewer.created_at,
        "last_login_at": viewer.last_login_at,
    }


class ApiKeyById(ById[ApiKeyRow]):
    listing = API_KEYS


class ApiKeysByUser(PagesOf[ApiKeyRow]):
    listing = API_KEYS


class ApiKeyCountByUser(CountsOf):
    listing = API_KEYS


class AuditEntryById(ById[AuditRow]):
    listing = AUDIT_LOG


class AuditLogByUser(PagesOf[AuditRow]):
    listing = AUDIT_LOG


class AuditEntryCountByUser(CountsOf):
    listing = AUDIT_LOG

"""Loaders of users, broker keys and audit entries."""

from db.auth.listings import API_KEYS, AUDIT_LOG, USERS
from db.auth.rows import ApiKeyRow, AuditRow, UserRow
from graph.loaders import ById, CountsOf, PagesOf


class Users(PagesOf[UserRow]):
    listing = USERS
    as_administrator = True


class UserCount(CountsOf):
    listing = USERS
    as_administrator = True


class UserById(ById[UserRow]):
    """Only ever the viewer: the database shows nobody else to the viewer's connection."""

    listing = USERS


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

"""Loaders of users, broker keys and audit entries."""

from db.auth.listings import API_KEYS, AUDIT_LOG, USERS
from graph.loaders import ById, CountsOf, PagesOf


class Users(PagesOf):
    listing = USERS
    as_administrator = True


class UserCount(CountsOf):
    listing = USERS
    as_administrator = True


class UserById(ById):
    """Only ever the viewer: the database shows a connection of theirs nobody else."""

    listing = USERS


class ApiKeyById(ById):
    listing = API_KEYS


class ApiKeysByUser(PagesOf):
    listing = API_KEYS


class ApiKeyCountByUser(CountsOf):
    listing = API_KEYS


class AuditEntryById(ById):
    listing = AUDIT_LOG


class AuditLogByUser(PagesOf):
    listing = AUDIT_LOG


class AuditEntryCountByUser(CountsOf):
    listing = AUDIT_LOG

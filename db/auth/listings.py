"""Lists of users, broker keys and audit entries."""

from uuid import UUID

from db.auth.rows import ApiKeyRow, AuditRow, UserRow
from db.pages import Key, Listing

_BY_ID = (Key("id", "t.id", UUID),)

# Without an owner, so only an administrator's connection sees rows other than the viewer's own.
USERS = Listing(
    row=UserRow,
    name="users",
    columns="""t.id, t.username, t.email, t.full_name, t.is_admin, t.is_active, t.currency, t.time_zone,
        t.created_at, t.last_login_at""",
    source="users t",
    order=_BY_ID,
    owner=None,
)

# The ciphertext is not among the columns: a key's secret is never read for display.
API_KEYS = Listing(
    row=ApiKeyRow,
    name="apiKeys",
    columns="t.id, t.broker, t.label, t.key_hint, t.account_id, t.created_at, t.last_used_at",
    source="api_keys t",
    order=_BY_ID,
    parent="t.owner_id",
)

AUDIT_LOG = Listing(
    row=AuditRow,
    name="auditLog",
    columns="t.id, t.action, t.entity_type, t.entity_id, t.details, t.ip_address, t.user_agent, t.created_at",
    source="audit_log t",
    order=_BY_ID,
    descending=True,
    parent="t.owner_id",
)

"""Lists of users, broker keys and audit entries."""

from uuid import UUID

from db.auth.rows import ApiKeyRow, AuditRow, UserRow
from db.pages import Key, Listing, columns

_BY_ID = (Key("id", "t.id", UUID),)

# Without an owner, so only an administrator's connection sees rows other than the viewer's own.
USERS = Listing(
    row=UserRow,
    name="users",
    columns=columns(
        "id username email full_name is_admin is_active currency time_zone created_at last_login_at",
    ),
    table="users",
    order=_BY_ID,
    owner=None,
)

# The ciphertext is not among the columns: a key's secret is never read for display.
API_KEYS = Listing(
    row=ApiKeyRow,
    name="apiKeys",
    columns=columns(
        "id broker label key_hint account_id created_at last_used_at",
    ),
    table="api_keys",
    order=_BY_ID,
    parent="t.owner_id",
)

AUDIT_LOG = Listing(
    row=AuditRow,
    name="auditLog",
    columns=columns(
        "id action entity_type entity_id details ip_address user_agent created_at",
    ),
    table="audit_log",
    order=_BY_ID,
    descending=True,
    parent="t.owner_id",
)

"""What a schema is, as PostgreSQL's own catalogs tell it: for comparing two databases."""

import asyncio

import asyncpg

_QUERIES = {
    "column": """
        SELECT c.relname || '.' || a.attname, format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull
               || ' ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' ' || coalesce(a.attacl::text, '')
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v')
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraint": """
        SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "trigger": """
        SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal""",
    "policy": "SELECT tablename || '.' || policyname, p::text FROM pg_policies p WHERE schemaname = 'public'",
    "view": """
        SELECT relname, pg_get_viewdef(oid) || coalesce(reloptions::text, '')
        FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace""",
    "function": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    "relation": """
        SELECT relname, relkind::text || ' ' || relrowsecurity || ' ' || relforcerowsecurity || ' '
               || coalesce((SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(relacl) a), '')
        FROM pg_class WHERE relkind IN ('r', 'v', 'S') AND relnamespace = 'public'::regnamespace""",
}


def catalog(url: str) -> dict[str, str]:
    """Everything in the schema public, by kind and name."""

    async def read() -> dict[str, str]:
        connection = await asyncpg.connect(url)
        try:
            return {
                f"{kind} {name}": definition
                for kind, query in _QUERIES.items()
                for name, definition in await connection.fetch(query)
            }
        finally:
            await connection.close()

    return asyncio.run(read())

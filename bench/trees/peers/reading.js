// What Mercurius and Yoga have in common: one statement for each level of a tree, for all parents at once,
// whatever their pages. Each sets the viewer of row-level security itself, so that a level is one round trip.
import pg from 'pg'

const pool = new pg.Pool({
  host: process.env.PEER_SOCKETS,
  database: 'graphfolio',
  user: 'graphfolio_app',
  max: Number(process.env.PEER_POOL),
  idleTimeoutMillis: 0,
  // One plan for each statement: PostgreSQL would plan most of these anew each time, for half of their cost.
  options: '-c jit=off -c timezone=UTC -c plan_cache_mode=force_generic_plan',
})

const VIEWER = "WITH v AS MATERIALIZED (SELECT set_config('app.user_id', $1, true) AS id)"

const USER = `${VIEWER}
SELECT u.* FROM v CROSS JOIN LATERAL (
  SELECT id, username FROM users WHERE id = v.id::uuid OFFSET 0
) u`

// $2, $3 and $4 are the pages: the parents, how many rows, and after which key.
const paged = (type, page) => `${VIEWER}
SELECT x.* FROM v CROSS JOIN LATERAL (
  SELECT q.n::int AS n, t.*
  FROM unnest($2::uuid[], $3::int[], $4::${type}[]) WITH ORDINALITY q(parent, first, after, n)
  CROSS JOIN LATERAL (${page}) t
  OFFSET 0
) x`

const ACCOUNTS = paged('uuid', `
  SELECT a.id, a.name, a.currency,
    trim_scale(a.unallotted_cash + (SELECT coalesce(sum(c.cash_balance), 0) FROM portfolios c
      WHERE c.owner_id = v.id::uuid AND c.account_id = a.id)) AS "cashBalance"
  FROM accounts a WHERE a.owner_id = v.id::uuid AND (q.after IS NULL OR a.id > q.after)
  ORDER BY a.id LIMIT q.first`)

const PORTFOLIOS = paged('uuid', `
  SELECT p.id, p.name, trim_scale(p.cash_balance) AS "cashBalance"
  FROM portfolios p
  WHERE p.owner_id = v.id::uuid AND p.account_id = q.parent AND (q.after IS NULL OR p.id > q.after)
  ORDER BY p.id LIMIT q.first`)

const PORTFOLIO = `${VIEWER}
SELECT p.* FROM v CROSS JOIN LATERAL (
  SELECT id, name, trim_scale(cash_balance) AS "cashBalance" FROM portfolios
  WHERE owner_id = v.id::uuid AND id = $2 OFFSET 0
) p`

const POSITIONS = paged('text', `
  SELECT y.id, y.symbol, trim_scale(y.quantity) AS quantity,
    trim_scale(round(y.cost_basis / y.quantity, 10)) AS "averageCost",
    trim_scale(y.price) AS "currentPrice", trim_scale(y.market_value) AS "marketValue",
    trim_scale(y.market_value - y.cost_basis) AS "unrealizedPnl",
    trim_scale(round(y.market_value / nullif(greatest(y.total, 0), 0), 10)) AS weight
  FROM (
    SELECT t.id, i.symbol, t.quantity, t.cost_basis, t.price, t.market_value,
      coalesce(sum(t.market_value) OVER (), 0) + p.cash_balance AS total
    FROM portfolios p
    JOIN position_values t ON t.owner_id = v.id::uuid AND t.portfolio_id = q.parent
    JOIN instruments i ON i.id = t.instrument_id
    WHERE p.owner_id = v.id::uuid AND p.id = q.parent AND t.quantity > 0
  ) y
  WHERE q.after IS NULL OR y.symbol > q.after
  ORDER BY y.symbol LIMIT q.first`)

// One more than the page, which says whether there is a next one.
const transactions = (after) => `
  SELECT e.id, e.type, i.symbol, trim_scale(e.quantity) AS quantity, trim_scale(e.price) AS price,
    to_char(e.executed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "executedAt"
  FROM (
    SELECT * FROM transactions t WHERE t.owner_id = v.id::uuid AND t.portfolio_id = q.parent ${after}
    ORDER BY t.executed_at DESC, t.id DESC LIMIT q.first + 1
  ) e LEFT JOIN instruments i ON i.id = e.instrument_id
  ORDER BY e.executed_at DESC, e.id DESC`

const NEWEST = paged('text', transactions(''))

const OLDER = paged('text', transactions(
  "AND (t.executed_at, t.id) < ((q.after::jsonb ->> 0)::timestamptz, (q.after::jsonb ->> 1)::uuid)"))

const globalId = (type, id) => btoa(`${type}:${id}`)

const keysOf = (cursor) => JSON.parse(Buffer.from(cursor, 'base64')).slice(1)

const cursorOf = (row) =>
  Buffer.from(JSON.stringify(['transactions', row.executedAt, row.id])).toString('base64')

async function rows (name, text, ...values) {
  const result = await pool.query({ name, text, values })
  return result.rows
}

// Each object keeps its row's own key, by which its lists are found.
function object (type, row) {
  row.key = row.id
  row.id = globalId(type, row.id)
  return row
}

async function level (name, text, userId, pages, keyOf) {
  const found = await rows(
    name, text, userId,
    pages.map((page) => page.parent),
    pages.map((page) => page.first),
    pages.map((page) => (page.after == null ? null : keyOf(keysOf(page.after)))))
  const lists = pages.map(() => [])
  for (const row of found) lists[row.n - 1].push(row)
  return lists
}

const connections = (type, lists) =>
  lists.map((list) => ({ nodes: list.map((row) => object(type, row)) }))

const firstOf = (keys) => keys[0]

export async function user (userId) {
  const [row] = await rows('user', USER, userId)
  return row && object('User', row)
}

export async function node (userId, id) {
  const [type, key] = atob(id).split(':')
  if (type !== 'Portfolio') return null
  const [row] = await rows('portfolio', PORTFOLIO, userId, key)
  return row ? { __typename: 'Portfolio', ...object('Portfolio', row) } : null
}

export const lists = {
  User: {
    accounts: async (userId, pages) =>
      connections('Account', await level('accounts', ACCOUNTS, userId, pages, firstOf)),
  },
  Account: {
    portfolios: async (userId, pages) =>
      connections('Portfolio', await level('portfolios', PORTFOLIOS, userId, pages, firstOf)),
  },
  Portfolio: {
    positions: async (userId, pages) =>
      connections('Position', await level('positions', POSITIONS, userId, pages, firstOf)),
    transactions: async (userId, pages) => {
      const older = pages.some((page) => page.after != null)
      const [name, text] = older ? ['older', OLDER] : ['newest', NEWEST]
      const found = await level(name, text, userId, pages, JSON.stringify)
      return found.map((list, number) => ({
        edges: list.slice(0, pages[number].first).map((row) => {
          const cursor = cursorOf(row)
          return { cursor, node: object('Transaction', row) }
        }),
        pageInfo: { hasNextPage: list.length > pages[number].first },
      }))
    },
  },
}

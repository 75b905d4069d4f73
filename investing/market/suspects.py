"""Jumps of closes that look like an unrecorded split, and series whose basis looks wrong."""

from collections.abc import Sequence
from decimal import Decimal

from db.market.splits import fetch_jumps, fetch_known_days
from db.sessions import Sessions
from db.vocabulary import PriceBasis
from investing.rules.market.corporate_actions import contradicts, suspected


async def find_suspects(sessions: Sessions) -> Sequence[str]:
    """Return a line for each, by symbol and day. None of them is certain: prices can fall by half."""
    async with sessions.reading(None) as connection:
        jumps = await fetch_jumps(connection)
        known = await fetch_known_days(connection)
    lines = []
    for row in jumps:
        factor = None if row["factor"] is None else Decimal(row["factor"])
        ratio = suspected(Decimal(row["before"]), Decimal(row["close"]), factor)
        if ratio is not None:
            new, old = ratio
            lines.append(
                f"{row['symbol']}: the close goes from {row['before']} to {row['close']} on {row['date']}, "
                f"like a {new}-for-{old} split that nobody recorded"
            )
    for day in known:
        is_raw = day["price_basis"] == PriceBasis.RAW
        ratio_of_split = Decimal(day["quantity"]) / Decimal(day["split_for"])
        if contradicts(Decimal(day["before"]), Decimal(day["close"]), ratio_of_split, is_raw=is_raw):
            what = "does not change by" if is_raw else "changes by"
            lines.append(
                f"{day['symbol']}: the close of {day['date']} {what} the {day['quantity']}-for-"
                f"{day['split_for']} split of {day['ex_date']}, though the prices are said to be "
                f"{day['price_basis']}"
            )
    return sorted(lines)

"""What a notification says: a title, plain text, HTML and data, all from the same facts."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

MOST_IN_A_DIGEST = 50
_LONGEST_TITLE = 200


@dataclass(frozen=True)
class Fact:
    """An alert as a notification reports it. `metrics` are decimal strings by name."""

    id: str
    kind: str
    severity: str
    title: str
    message: str
    metrics: Mapping[str, str]
    symbol: str | None
    created_at: dt.datetime


@dataclass(frozen=True)
class Message:
    """One notification. `type` and `data` are for programs, the rest is for people."""

    type: str
    severity: str
    title: str
    text: str
    html: str
    data: Mapping[str, Any] = field(repr=False)


def of_alert(alert: Fact) -> Message:
    """Return the notification of one alert."""
    return Message(
        type="alert.raised",
        severity=alert.severity,
        title=one_line(alert.title),
        text=f"{alert.message}\n\n{_details(alert)}\n",
        html=_page(alert.title, f"<p>{escape(alert.message)}</p><p>{escape(_details(alert))}</p>"),
        data=_data(alert),
    )


def of_digest(alerts: Sequence[Fact], total: int, per_hour: int) -> Message:
    """Return one notification for all alerts beyond the hour's limit: the first of them and the total."""
    title = f"{total} more alert{'' if total == 1 else 's'}"
    lines = [f"{alert.created_at:%H:%M} UTC  {alert.severity}  {one_line(alert.title)}" for alert in alerts]
    if total > len(alerts):
        lines.append(f"and {total - len(alerts)} more, which are in your list of alerts")
    why = f"More than {per_hour} notifications would have been sent within the hour. These were held back:"
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return Message(
        type="alert.digest",
        severity=_worst(alerts),
        title=title,
        text="\n".join((why, "", *lines, "")),
        html=_page(title, f"<p>{escape(why)}</p><ul>{items}</ul>"),
        data={"total": total, "alerts": [_data(alert) for alert in alerts]},
    )


def of_confirmation(code: str) -> Message:
    """Return the message that asks a destination's reader for consent; nothing in it comes from the user."""
    title = "Confirm that Graphfolio may send alerts here"
    text = (
        f"Somebody wants their portfolio alerts sent here. If that is you, confirm it with the code {code} "
        "(confirmNotificationDestination). If it is not, do nothing: you will get no more messages."
    )
    return Message(
        type="destination.confirmation",
        severity="INFO",
        title=title,
        text=f"{text}\n",
        html=_page(title, f"<p>{escape(text)}</p>"),
        data={"code": code},
    )


def one_line(text: str) -> str:
    """Return the text as a title: shortened, and without line breaks, which a mail header must not have."""
    return " ".join(text.split())[:_LONGEST_TITLE]


def _details(alert: Fact) -> str:
    figures = [f"{name} {value}" for name, value in sorted(alert.metrics.items())]
    return ", ".join([alert.severity, *figures, f"{alert.created_at:%Y-%m-%d %H:%M:%S} UTC"])


def _data(alert: Fact) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "severity": alert.severity,
        "title": alert.title,
        "message": alert.message,
        "metrics": dict(alert.metrics),
        "symbol": alert.symbol,
        "createdAt": alert.created_at.isoformat(),
    }


def _worst(alerts: Sequence[Fact]) -> str:
    order = ("INFO", "WARNING", "CRITICAL")
    return max((alert.severity for alert in alerts), key=order.index, default="INFO")


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(one_line(title))}</title></head>'
        f'<body style="font-family: sans-serif"><h2>{escape(one_line(title))}</h2>{body}</body></html>'
    )

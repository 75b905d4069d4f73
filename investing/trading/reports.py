"""The results of an import, row by row, and how they are kept for a retry."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from investing.rules import errors
from investing.rules.errors import DomainError
from investing.rules.warnings import Warning


class RowStatus(StrEnum):
    """What an import makes of a row."""

    OK = "OK"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"
    IGNORED = "IGNORED"


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row. `transaction_id` is None if nothing was written for it.

    `reason` is why it is ignored, or what its owner should know of how it was read; rows of the same `group`
    are reported together.
    """

    line: int
    status: RowStatus
    transaction_id: UUID | None = None
    domain_error: DomainError | None = None
    source: str = ""
    reason: str = ""
    group: str = ""
    warnings: tuple[Warning, ...] = ()


@dataclass(frozen=True)
class ImportReport:
    """What an import found and did. If `written` is false it changed nothing, and `import_id` is None."""

    written: bool
    outcomes: Sequence[RowResult]
    import_id: UUID | None = None

    def count(self, status: RowStatus) -> int:
        """Return how many rows have this status."""
        return Counter(outcome.status for outcome in self.outcomes)[status]

    @property
    def is_bad(self) -> bool:
        """Return whether any row is refused."""
        return any(outcome.domain_error is not None for outcome in self.outcomes)

    def summary(self) -> str:
        """Return how many rows have each status, in a few words."""
        words = {
            RowStatus.OK: "new" if self.written else "good",
            RowStatus.DUPLICATE: "there already",
            RowStatus.REFUSED: "refused",
            RowStatus.IGNORED: "ignored",
        }
        total = len(self.outcomes)
        counts = ", ".join(f"{self.count(status)} {word}" for status, word in words.items())
        return f"{total} row{'s' * (total != 1)}: {counts}"


def describe(report: ImportReport, file: str, *, every: bool) -> Iterator[str]:
    """Yield the lines that describe a report.

    There is a line for each row that nothing was written for or that has a remark on how it was read, or for
    every row if `every`; each row's warnings; and at the end a line for each group of ignored rows that are
    alike, with their number.
    """
    groups: Counter[tuple[str, str]] = Counter()
    for row in report.outcomes:
        where = f"{file}:{row.line}: " + (f"{row.source}: " if row.source else "")
        match row.status:
            case RowStatus.REFUSED:
                assert row.domain_error is not None, "what is refused has a reason"
                yield f"{where}{row.domain_error}"
            case RowStatus.IGNORED if row.group:
                groups[row.group, row.reason] += 1
            case RowStatus.IGNORED:
                yield f"{where}{row.reason}"
            case RowStatus.DUPLICATE if every:
                yield f"{where}there already"
            case RowStatus.OK if every or row.reason:
                yield f"{where}{row.reason or 'ok'}"
        for warning in row.warnings:
            yield f"{where}{warning.code}: {warning.message}"
    for (group, reason), count in groups.items():
        yield f"{file}: {count} ignored ({group}): {reason}."


def dump_report(report: ImportReport) -> dict[str, Any]:
    """Return the report as JSON, without the import's id."""
    return {"written": report.written, "rows": [_dump(outcome) for outcome in report.outcomes]}


def load_report(id: UUID, kept: Mapping[str, Any]) -> ImportReport:
    """Return the report that was kept of the import."""
    written = kept["written"]
    return ImportReport(written, [_load(row) for row in kept["rows"]], id if written else None)


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    """Return what dumps and loads errors of the type of this name."""
    # Making one takes a millisecond, and a thousand rows may be refused.
    return TypeAdapter(getattr(errors, kind))


def _dump(outcome: RowResult) -> dict[str, Any]:
    kept: dict[str, Any] = {"line": outcome.line, "status": outcome.status.value}
    if outcome.transaction_id is not None:
        kept["id"] = str(outcome.transaction_id)
    if (domain_error := outcome.domain_error) is not None:
        kind = type(domain_error)
        kept["refused"] = {
            "kind": kind.__name__,
            "facts": _adapter(kind.__name__).dump_python(domain_error, mode="json"),
        }
    if outcome.warnings:
        kept["warnings"] = [[warning.code, warning.message] for warning in outcome.warnings]
    return kept


def _load(kept: Mapping[str, Any]) -> RowResult:
    id, refused = kept.get("id"), kept.get("refused")
    domain_error = None
    if refused is not None:
        domain_error = _adapter(refused["kind"]).validate_python(refused["facts"])
    warnings = tuple(Warning(*warning) for warning in kept.get("warnings", ()))
    return RowResult(
        kept["line"], RowStatus(kept["status"]), id and UUID(id), domain_error, warnings=warnings
    )

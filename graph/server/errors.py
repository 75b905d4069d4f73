"""Show errors to a client: always with a code, and never with the cause of an unexpected one."""

import logging
import re
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError
from graphql.execution import values as coercion
from strawberry.exceptions import StrawberryInputCoercionError

from db.outages import Faults
from db.sessions import is_away, took_too_long
from graph.errors import BadUserInput, CodedError, QueryTooComplex, TimedOut

INTERNAL = "INTERNAL_SERVER_ERROR"
LONGEST_MESSAGE = 500
logger = logging.getLogger("graphfolio")
_faults = Faults(logger)
_VALUE = re.compile(r"(?:(cannot represent [^:]*value)|[,;] found): .*", re.DOTALL)
_TOKEN = re.compile(r"\b(String|BlockString|Int|Float) '.*", re.DOTALL)


class RequestRefused(Exception):
    """An HTTP request without an operation to run: a status, and the coded error that says why."""

    def __init__(self, status: int, error: CodedError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def bad_request(message: str, status: int = 400, **headers: str) -> RequestRefused:
    """Return the refusal of a request for what it is, regardless of who sent it."""
    return RequestRefused(status, BadUserInput(message), **headers)


def present(errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """Return errors as the client sees them; mask unexpected ones, and log those with their traceback.

    Those of one origin are logged once: a batch that fails is an error of each of its rows.
    """
    surprises = Surprises(request_id)
    shown = [_present(error, request_id, surprises) for error in errors]
    surprises.log()
    return shown


def internal(request_id: str, cause: BaseException) -> dict[str, Any]:
    """Log an unexpected error that no field caused, and return its masked form."""
    if not _is_away(cause):
        logger.error("Request %s failed.", request_id, exc_info=cause)
    return {"message": "Internal error.", "extensions": {"code": INTERNAL, "requestId": request_id}}


class Surprises:
    """The unexpected errors of one answer, by the place in the code that they come from."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._found: dict[object, list[GraphQLError]] = {}

    def add(self, error: GraphQLError, root: BaseException) -> None:
        """Note one error."""
        frame = _innermost(root)
        place = None if frame is None else (frame.tb_frame.f_code, frame.tb_lineno)
        self._found.setdefault((type(root), place), []).append(error)

    def log(self) -> None:
        """Log the first of each origin, and how many others there are."""
        for first, *others in self._found.values():
            cause = first.original_error or first
            where = ".".join(str(step) for step in first.path or ())
            if _is_away(list(_causes(first))[-1]):
                continue
            more = f", and at {len(others)} other places" if others else ""
            logger.error("Request %s failed at %r%s.", self._request_id, where, more, exc_info=cause)


def _is_away(cause: BaseException) -> bool:
    """Return whether the database is down, which fails every request and is logged as an outage."""
    if not is_away(cause):
        return False
    _faults.met(cause, "Requests fail because the database is away: %s.", type(cause).__name__)
    return True


def _present(error: GraphQLError, request_id: str, surprises: Surprises) -> dict[str, Any]:
    shown: dict[str, Any] = dict(error.formatted)
    coded = _coded(error)
    if coded is not None:
        shown["extensions"] = dict(coded.extensions or {})
    elif _is_too_long(error):
        shown["extensions"] = {"code": QueryTooComplex.code}
    elif _is_the_clients(error):
        shown["message"] = _without_values(error.message)[:LONGEST_MESSAGE]
        shown["extensions"] = {"code": BadUserInput.code}
    elif took_too_long(list(_causes(error))[-1]):
        shown["message"] = "Something else holds what this needs, or there is too much of it: try again."
        shown["extensions"] = {"code": TimedOut.code}
    else:
        surprises.add(error, list(_causes(error))[-1])
        shown["message"] = "Internal error."
        shown["extensions"] = {"code": INTERNAL, "requestId": request_id}
    return shown


def _without_values(message: str) -> str:
    """Return the engine's message without the values that were sent and without suggestions.

    It would show a whole input, with the password in it, to whatever stores a client's errors. Suggestions
    would reveal a schema's names to those who guess.
    """
    return _VALUE.sub(r"\1.", _TOKEN.sub(r"\1.", message.split(" Did you mean ")[0]))


def _causes(error: GraphQLError) -> Iterable[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.original_error if isinstance(cause, GraphQLError) else None


def _coded(error: GraphQLError) -> CodedError | None:
    return next((cause for cause in _causes(error) if isinstance(cause, CodedError)), None)


def _is_too_long(error: GraphQLError) -> bool:
    return isinstance(error, GraphQLSyntaxError) and error.message.endswith("Parsing aborted.")


def _is_the_clients(error: GraphQLError) -> bool:
    """Return whether the error is in the document or its variables, not in this project's code.

    Before execution there is no path: the engine's own errors have places in the document or no cause, an
    unexpected one has a cause and no place. At a field, only the coercion of its arguments concerns the
    client.
    """
    if error.path is None:
        return bool(error.locations) or error.original_error is None
    root = list(_causes(error))[-1]
    if isinstance(root, StrawberryInputCoercionError):
        return True
    frame = _innermost(root)
    return frame is not None and frame.tb_frame.f_code.co_filename == coercion.__file__


def _innermost(error: BaseException) -> TracebackType | None:
    """Return the frame that raised the error."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame

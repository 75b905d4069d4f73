"""How an error looks to a client: a code always, and nothing of the cause of a surprise."""

import logging
import re
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError
from graphql.execution import values as coercion
from strawberry.exceptions import StrawberryInputCoercionError

from db.sessions import took_too_long
from graph.errors import BadUserInput, CodedError, QueryTooComplex, TimedOut

INTERNAL = "INTERNAL_SERVER_ERROR"
LONGEST_MESSAGE = 500
logger = logging.getLogger("graphfolio")
_VALUE = re.compile(r"(?:(cannot represent [^:]*value)|[,;] found): .*", re.DOTALL)
_TOKEN = re.compile(r"\b(String|BlockString|Int|Float) '.*", re.DOTALL)


class RequestRefused(Exception):
    """An HTTP request that holds no operation to run: a status, and the coded error that says why."""

    def __init__(self, status: int, error: CodedError, **headers: str) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def bad_request(message: str, status: int = 400, **headers: str) -> RequestRefused:
    """Refuse a request for what it is, not for who sent it."""
    return RequestRefused(status, BadUserInput(message), **headers)


def present(errors: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """Turn errors into what the client sees; each surprise is logged with its traceback and masked."""
    return [_present(error, request_id) for error in errors]


def internal(request_id: str, cause: BaseException) -> dict[str, Any]:
    """Log a surprise that no field caused, and return its masked form."""
    logger.error("Request %s failed.", request_id, exc_info=cause)
    return {"message": "Internal error.", "extensions": {"code": INTERNAL, "requestId": request_id}}


def _present(error: GraphQLError, request_id: str) -> dict[str, Any]:
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
        where = ".".join(str(step) for step in error.path or ())
        logger.error("Request %s failed at %r.", request_id, where, exc_info=error.original_error or error)
        shown["message"] = "Internal error."
        shown["extensions"] = {"code": INTERNAL, "requestId": request_id}
    return shown


def _without_values(message: str) -> str:
    """The engine's words without what was sent: it would show a whole input, with the password in it, to
    whatever keeps a client's errors. Nor with suggestions, which tell a schema's names to those who guess.
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
    """Tell an error in the document or its variables from one in our own code.

    Before execution there is no path: the engine's own errors have places in the document or no cause, a
    surprise has a cause and no place. At a field, only the coercion of its arguments speaks of the client.
    """
    if error.path is None:
        return bool(error.locations) or error.original_error is None
    root = list(_causes(error))[-1]
    if isinstance(root, StrawberryInputCoercionError):
        return True
    frame = root.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_code.co_filename == coercion.__file__

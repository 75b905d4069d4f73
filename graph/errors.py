"""Top-level errors, each with its `extensions.code`; a mutation's refusal is a userError instead."""

from typing import ClassVar

from graphql import GraphQLError


class CodedError(GraphQLError):
    """An error whose message and code are meant for the client; anything else is masked."""

    code: ClassVar[str]

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message, extensions={"code": self.code, **facts})


class Unauthenticated(CodedError):
    """There is no login, or it is no longer valid."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "Log in to do this.") -> None:
        super().__init__(message)


class Forbidden(CodedError):
    """The login may not do this."""

    code = "FORBIDDEN"

    def __init__(self, message: str = "You may not do this.") -> None:
        super().__init__(message)


class BadUserInput(CodedError):
    """The arguments are wrong, so a retry will not succeed."""

    code = "BAD_USER_INPUT"


class FieldError(CodedError):
    """A value is unavailable: the code and the facts of the rule's refusal."""

    def __init__(self, message: str, code: str, **facts: object) -> None:
        super(CodedError, self).__init__(message, extensions={"code": code, **facts})


class ResyncRequired(CodedError):
    """No stream can continue from the cursor: read the list, and follow from one of the cursors given."""

    code = "RESYNC_REQUIRED"


class QueryTooComplex(CodedError):
    """The document costs more than one operation may."""

    code = "QUERY_TOO_COMPLEX"


class Throttled(CodedError):
    """There are more requests at once, or more often, than one client may make."""

    code = "THROTTLED"


class TimedOut(CodedError):
    """The operation took longer than it may."""

    code = "TIMEOUT"

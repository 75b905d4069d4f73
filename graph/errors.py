"""Top-level errors, each with its `extensions.code`; what a mutation refuses is a userError instead."""

from typing import ClassVar

from graphql import GraphQLError


class CodedError(GraphQLError):
    """An error whose message and code are meant for the client; anything else is masked."""

    code: ClassVar[str]

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message, extensions={"code": self.code, **facts})


class Unauthenticated(CodedError):
    """No login, or one that is no longer good."""

    code = "UNAUTHENTICATED"

    def __init__(self, message: str = "Log in to do this.") -> None:
        super().__init__(message)


class Forbidden(CodedError):
    """A login that may not do this."""

    code = "FORBIDDEN"

    def __init__(self, message: str = "You may not do this.") -> None:
        super().__init__(message)


class BadUserInput(CodedError):
    """Arguments that no retry will make good."""

    code = "BAD_USER_INPUT"


class FieldError(CodedError):
    """What cannot be had as things are: the code and the facts of the rule's refusal."""

    def __init__(self, message: str, code: str, **facts: object) -> None:
        super(CodedError, self).__init__(message, extensions={"code": code, **facts})


class ResyncRequired(CodedError):
    """A cursor that no stream can go on from: read the list, and follow from one of the cursors given."""

    code = "RESYNC_REQUIRED"


class QueryTooComplex(CodedError):
    """A document that costs more than one operation may."""

    code = "QUERY_TOO_COMPLEX"


class Throttled(CodedError):
    """More at once, or more often, than one client may."""

    code = "THROTTLED"


class TimedOut(CodedError):
    """The operation took longer than it may."""

    code = "TIMEOUT"

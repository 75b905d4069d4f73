"""Expected failures: what a client is told when a request is understood and not done."""

import dataclasses
from typing import ClassVar


# Not frozen: a frozen exception cannot be given its own traceback.
@dataclasses.dataclass(eq=False)
class Refusal(Exception):
    """An expected failure. `message` is for people, `code` for programs.

    `field` is the path inside the mutation's input, for example ("password",); empty for the whole of it.
    """

    code: ClassVar[str]

    message: str
    field: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message


@dataclasses.dataclass(eq=False)
class InvalidInput(Refusal):
    """A value that no retry will make good."""

    code = "INVALID_INPUT"


@dataclasses.dataclass(eq=False)
class NameTaken(Refusal):
    """Someone has this username already."""

    code = "NAME_TAKEN"
    message: str = "This username is taken."
    field: tuple[str, ...] = ("username",)


@dataclasses.dataclass(eq=False)
class EmailTaken(Refusal):
    """Someone has registered with this e-mail address already."""

    code = "EMAIL_TAKEN"
    message: str = "This e-mail address is registered already."
    field: tuple[str, ...] = ("email",)


@dataclasses.dataclass(eq=False)
class WeakPassword(Refusal):
    """A password that is too short; `min_length` is in characters."""

    code = "WEAK_PASSWORD"
    message: str = ""
    field: tuple[str, ...] = ("password",)
    min_length: int = 10

    def __post_init__(self) -> None:
        self.message = self.message or f"A password has at least {self.min_length} characters."


@dataclasses.dataclass(eq=False)
class WrongCredentials(Refusal):
    """Unknown user, wrong password or a deactivated user: which of them is nobody's business."""

    code = "WRONG_CREDENTIALS"
    message: str = "The username or the password is wrong."


@dataclasses.dataclass(eq=False)
class InvalidRefreshToken(Refusal):
    """A refresh token that is malformed, unknown, used, expired or revoked: which of them is not said."""

    code = "INVALID_REFRESH_TOKEN"
    message: str = "This refresh token is not valid. Log in again."
    field: tuple[str, ...] = ("refreshToken",)

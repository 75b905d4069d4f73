"""Warnings about a mutation that succeeded."""

from typing import Self

import strawberry

from investing.rules import warnings as rules


@strawberry.type(description="Something to know about what was done.")
class Warning:
    code: str = strawberry.field(description="The warning, for programs.")
    message: str = strawberry.field(description="The warning, for people.")

    @classmethod
    def of(cls, warning: rules.Warning) -> Self:
        """Return the warning as clients see it."""
        return cls(code=warning.code, message=warning.message)

"""The device that a client logs in from, as far as it can be recognised."""

from dataclasses import dataclass, field


@dataclass
class Device:
    """The token by which a device that has logged in before is recognised, in the header of that name.

    `presented` is what the client has sent. `issued` is what a login puts into the answer's headers; a
    WebSocket and a stream have sent theirs by then.
    """

    presented: str | None = field(default=None, repr=False)
    issued: str | None = field(default=None, repr=False)

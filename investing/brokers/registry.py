"""The broker of each account."""

from collections.abc import Mapping, Sequence

from db.vocabulary import Broker as BrokerName
from investing.brokers.protocol import BrokerClient
from investing.rules.errors import BrokerUnavailable


class Brokers:
    """The connected brokers by name."""

    def __init__(self, connected: Mapping[BrokerName, BrokerClient]) -> None:
        self._connected = dict(connected)

    def named(self, name: str) -> BrokerClient:
        """Return the broker of this name; raise BrokerUnavailable if it is not connected."""
        broker = self._connected.get(BrokerName(name))
        if broker is None:
            raise BrokerUnavailable(
                f"The broker {name} is not connected here: place orders from an account at another one.",
                ("portfolioId",),
                broker=name,
            )
        return broker

    def all(self) -> Sequence[BrokerClient]:
        """Return every connected broker."""
        return list(self._connected.values())

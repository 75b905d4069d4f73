"""Which broker an account has."""

from collections.abc import Mapping, Sequence

from db.vocabulary import Broker as BrokerName
from investing.brokers.protocol import BrokerClient
from investing.rules.errors import BrokerUnavailable


class Brokers:
    """The brokers that are connected, by name."""

    def __init__(self, connected: Mapping[BrokerName, BrokerClient]) -> None:
        self._connected = dict(connected)

    def named(self, name: str) -> BrokerClient:
        """The broker of this name. Raises BrokerUnavailable where it is not connected."""
        broker = self._connected.get(BrokerName(name))
        if broker is None:
            raise BrokerUnavailable(
                f"The broker {name} is not connected here: orders are placed from accounts of another one.",
                ("portfolioId",),
                broker=name,
            )
        return broker

    def all(self) -> Sequence[BrokerClient]:
        """Every broker that is connected."""
        return list(self._connected.values())

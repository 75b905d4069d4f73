"""What the database of the benchmark contains, as numbers: users, portfolios, positions, transactions."""

import random
from dataclasses import dataclass

ACCOUNTS, PORTFOLIOS, POSITIONS, ENTRIES = 3, 3, 25, 100
"""An ordinary user: accounts, portfolios of an account, positions of a portfolio, its transactions."""

LARGEST_PORTFOLIO = 500
"""Positions of a portfolio of the users by whom growth is measured: one page of a list."""

INSTRUMENTS = WIDE = 2_000
"""How many instruments there are, and how many of them the user with the longest list holds."""

DEPTH = 15_000
"""How many transactions the cursor of the deep page has before it."""

UNQUOTED = 250
"""Every so many instruments one has no quote: a position in it is valued at its owner's last trade."""


@dataclass(frozen=True)
class UserPlan:
    """One user: the accounts' numbers of portfolios, and what each portfolio has."""

    name: str
    portfolios: tuple[int, ...]
    positions: int
    entries: int
    """The transactions of a portfolio: its deposit, a purchase for each position, and others."""

    @property
    def position_count(self) -> int:
        """Return how many positions the user has in all."""
        return sum(self.portfolios) * self.positions

    @property
    def entry_count(self) -> int:
        """Return how many transactions the user has in all; each account has a deposit of its own."""
        return sum(self.portfolios) * self.entries + len(self.portfolios)


@dataclass(frozen=True)
class Plan:
    """Every user at one scale; 1 is the full size, and what is smaller is for trying."""

    scale: float

    def scaled(self, number: int, least: int) -> int:
        """Return a number of the full size at this scale."""
        return max(least, round(number * self.scale))

    @property
    def ordinary(self) -> list[UserPlan]:
        """Return the users who are like each other, whose trees the small shapes read."""
        count = self.scaled(1_000, 32)
        return [
            UserPlan(f"user{number:04}", (PORTFOLIOS,) * ACCOUNTS, POSITIONS, ENTRIES)
            for number in range(count)
        ]

    @property
    def wide(self) -> UserPlan:
        """Return the user with the most positions in one portfolio."""
        return UserPlan("wide", (1,), WIDE, WIDE + 1)

    @property
    def deep(self) -> UserPlan:
        """Return the user with the longest ledger."""
        return UserPlan("deep", (1,), POSITIONS, DEPTH + 5_000)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Return the positions of the users by whom growth is measured, beside an ordinary one's."""
        return self.scaled(2_000, 300), self.scaled(20_000, 600), self.scaled(100_000, 1_200)

    @property
    def growing(self) -> list[UserPlan]:
        """Return these users, with at most a page of positions in a portfolio."""
        found = []
        for size in self.sizes:
            portfolios = max(1, round(size / LARGEST_PORTFOLIO))
            each = min(LARGEST_PORTFOLIO, size // portfolios)
            found.append(UserPlan(f"grown{size}", (portfolios,), each, each + 1))
        return found

    @property
    def users(self) -> list[UserPlan]:
        """Return every user."""
        return [*self.ordinary, self.wide, self.deep, *self.growing]


@dataclass(frozen=True)
class InstrumentPlan:
    """One instrument; prices are in hundredths."""

    symbol: str
    price: int
    is_quoted: bool


def instruments() -> list[InstrumentPlan]:
    """Return the instruments, the same ones each time, with symbols of one to five letters."""
    chance = random.Random(13)
    symbols: set[str] = set()
    while len(symbols) < INSTRUMENTS:
        length = chance.choices((1, 2, 3, 4, 5), (1, 4, 30, 50, 15))[0]
        symbols.add("".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=length)))
    return [
        InstrumentPlan(symbol, chance.randint(500, 50_000), number % UNQUOTED != 0)
        for number, symbol in enumerate(sorted(symbols))
    ]

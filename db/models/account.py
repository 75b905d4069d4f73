"""Tables of accounts."""

from decimal import Decimal

from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base, Money, Owned, Updated, known_time_zone, of_user, one_of
from db.vocabulary import AccountType, Broker


class Account(Owned, Updated, Base):
    """Cash and portfolios at one broker, in one currency.

    `unallotted_cash` is the account's cash that belongs to no portfolio; the cash of the whole account is
    that and the cash of its portfolios, so that a trade locks its portfolio and never its account.
    `time_zone` is an IANA name: it decides which day an instant belongs to in the account.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        of_user(),
        UniqueConstraint("owner_id", "name"),
        one_of("broker", Broker),
        one_of("account_type", AccountType),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        CheckConstraint("account_type = 'MARGIN' OR unallotted_cash >= 0", name="cash_not_negative"),
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name_length"),
        CheckConstraint("initial_balance >= 0", name="initial_balance"),
        known_time_zone(),
    )

    name: Mapped[str]
    broker: Mapped[str]
    account_type: Mapped[str]
    currency: Mapped[str]
    time_zone: Mapped[str] = mapped_column(server_default=text("'America/New_York'"))
    initial_balance: Mapped[Money] = mapped_column(default=Decimal(0))
    unallotted_cash: Mapped[Money] = mapped_column(default=Decimal(0))
    is_paper: Mapped[bool] = mapped_column(server_default=text("true"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))

"""Whatever a client sends for any argument, the answer is never an internal error."""

from collections.abc import Callable
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graph.schema import build_schema
from tests.graph.conftest import Api
from tests.graph.doing import key, mutate, open_account, open_portfolio
from tests.graph.stored import Stored

SCHEMA = build_schema()._schema

TEXTS = [
    "",
    " ",
    "AAPL",
    "Name",
    "\x00",
    "a\x00b",
    "\ud800",
    "é" * 60,
    "x" * 5_000,
    "%",
    "'",
    "\u202e",
    "null",
]
NUMBERS = ["0", "-0", "1", "0.5", "-1", "999999999999999999.9999999999", "0.0000000001", "1e5", "NaN"]
MOMENTS = [
    "2024-05-01T12:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "2024-13-01T00:00:00Z",
]
DAYS = ["2024-05-01", "0001-01-01", "9999-12-31", "2023-02-30", ""]
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(TEXTS),
    st.just([]),
    st.just({}),
)
OF_SCALAR: dict[str, st.SearchStrategy[Any]] = {
    "String": st.sampled_from(TEXTS) | st.text(max_size=20),
    "Int": st.sampled_from([0, 1, 50, 500, 501, -1, 2**31 - 1, 2**31, 10**30]),
    "Boolean": st.booleans(),
    "Decimal": st.sampled_from(NUMBERS),
    "DateTime": st.sampled_from(MOMENTS),
    "Date": st.sampled_from(DAYS),
    "LocalTime": st.sampled_from(["09:00", "23:59", "24:00", "9:00", ""]),
    "CurrencyCode": st.sampled_from(["USD", "EUR", "ZZZ", "usd", ""]),
}


@pytest.fixture(scope="module")
def ids() -> list[str]:
    """Ids that the strategies may draw; filled by the fixture `api`."""
    return ["", "VXNlcjox", "Portfolio:1", key(), "x" * 300, "\x00"]


@pytest.fixture(scope="module")
def api(register: Callable[[], Api], stored: Stored, ids: list[str]) -> Api:
    stored.instrument("AAPL", "10")
    made = register()
    account_id = open_account(made, initialBalance="1000")
    watchlist = mutate(made, "createWatchlist", "watchlist { id }", name="Mine", symbols=["AAPL"])[
        "watchlist"
    ]
    ids += [
        open_portfolio(made, account_id, initialCash="500"),
        account_id,
        watchlist["id"],
        made.user_id or "",
    ]
    return made


def values(kind: Any, ids: list[str]) -> st.SearchStrategy[Any]:
    """Mostly values that the type takes, and some that it does not."""
    return st.one_of(_fitting(kind, ids), _fitting(kind, ids), _fitting(kind, ids), ANYTHING)


def _fitting(kind: Any, ids: list[str]) -> st.SearchStrategy[Any]:
    if isinstance(kind, GraphQLNonNull):
        return _fitting(kind.of_type, ids)
    if isinstance(kind, GraphQLList):
        return st.lists(values(kind.of_type, ids), max_size=3)
    if isinstance(kind, GraphQLEnumType):
        return st.sampled_from(list(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return _objects(kind.fields, ids)
    return st.sampled_from(ids) if kind.name == "ID" else OF_SCALAR[kind.name]


def _objects(
    fields: dict[str, GraphQLInputField] | dict[str, GraphQLArgument], ids: list[str]
) -> st.SearchStrategy[dict[str, Any]]:
    required = {
        name: values(field.type, ids)
        for name, field in fields.items()
        if isinstance(field.type, GraphQLNonNull)
    }
    optional = {name: values(field.type, ids) for name, field in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def operations() -> list[tuple[str, str, dict[str, GraphQLArgument]]]:
    """Every root field, and every field with arguments below a user and a portfolio, as a document."""
    found = []
    for root, kind in (("query", SCHEMA.query_type), ("mutation", SCHEMA.mutation_type)):
        assert kind is not None
        found += [(name, f"{root}(%s) {{ %s }}", name, field) for name, field in kind.fields.items()]
    for type_name, document in (
        ("User", "query(%s) {{ me {{ %s }} }}"),
        ("Account", "query(%s) {{ me {{ accounts {{ nodes {{ %s }} }} }} }}"),
        (
            "Portfolio",
            "query(%s) {{ me {{ accounts {{ nodes {{ portfolios(first: 2) {{ nodes {{ %s }} }} }} }} }} }}",
        ),
    ):
        of = SCHEMA.get_type(type_name)
        assert isinstance(of, GraphQLObjectType)
        found += [
            (f"{type_name}.{name}", document.format(), name, field)
            for name, field in of.fields.items()
            if field.args
        ]
    return [
        (label, _document(template, name, field), dict(field.args)) for label, template, name, field in found
    ]


def _document(template: str, name: str, field: GraphQLField) -> str:
    declared = ", ".join(f"${argument}: {of.type}" for argument, of in field.args.items())
    given = ", ".join(f"{argument}: ${argument}" for argument in field.args)
    selection = ""
    kind = get_named_type(field.type)
    if is_composite_type(kind):
        deeper = (
            " totalCount nodes { __typename } pageInfo { endCursor }"
            if kind.name.endswith("Connection")
            else ""
        )
        selection = f" {{ __typename{deeper} }}"
    text = template % (declared, f"{name}({given}){selection}" if given else f"{name}{selection}")
    return text.replace("()", "")


OPERATIONS = operations()


@settings(
    max_examples=300,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_no_value_of_any_argument_is_an_internal_error(data: st.DataObject, api: Api, ids: list[str]) -> None:
    label, document, arguments = data.draw(st.sampled_from(OPERATIONS))
    variables = data.draw(_objects(arguments, ids))
    answer = api.post(document, **variables)
    codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
    allowed = {"BAD_USER_INPUT", "FORBIDDEN"}
    if label == "Portfolio.rebalancePlan":
        # What this portfolio has no plan for: it holds nothing, has no symbols and no weights.
        allowed |= {"EMPTY_UNIVERSE", "INVALID_INPUT"}
    assert codes <= allowed, (label, variables, answer)
    assert ("data" in answer) or codes

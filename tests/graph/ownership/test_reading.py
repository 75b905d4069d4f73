"""Nobody reads another's data: every way from the root, every id and cursor, by everyone who should not."""

import base64
from uuid import UUID

import orjson
import pytest
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, get_named_type

from graph.node import REFETCH
from graph.permissions import PUBLIC_FIELDS
from tests.graph.ownership import shape
from tests.graph.ownership.conftest import World
from tests.graph.ownership.documents import Way, fields_of, holds, optional, required, ways
from tests.graph.ownership.shape import CURSORS, KEYS, OWNED, PARTS, SCHEMA, is_id, owned_type_of

WAYS = list(ways())
BY_ID = [
    name for name, field in fields_of("Query").items() if any(is_id(n, a) for n, a in field.args.items())
]
LISTS = [way for way in WAYS if CURSORS & set(way.last.args)]


def _is_known(type_: GraphQLObjectType) -> bool:
    name = type_.name
    if name in ("Query", "Mutation", "Subscription", "PageInfo") or name in OWNED | set(PARTS):
        return True
    if SCHEMA.type_map["UserError"] in type_.interfaces:
        return True
    wrapped = name.removesuffix("Connection").removesuffix("Edge")
    return name.endswith("Payload") or (wrapped != name and wrapped in OWNED | set(PARTS))


def test_every_type_is_known() -> None:
    """A new type says here whether it is somebody's, and has a row among the samples if it is."""
    assert {type_.name for type_ in shape.node_types()} == set(REFETCH) == OWNED
    types = [t for t in SCHEMA.type_map.values() if isinstance(t, GraphQLObjectType) and t.name[:2] != "__"]
    assert [type_.name for type_ in types if not _is_known(type_)] == []


EMPTY = {"UnavailableValue"}
"""What nobody has here: what is held has a price, or no plan could be made. tests/graph/market has it."""

BELOW_THE_ROOT = {"User.alerts"}
"""Fields of a thing of one's own that take an id."""


@pytest.mark.parametrize("wanted", ["foreign", "missing"])
def test_alerts_of_a_foreign_portfolio_are_none(world: World, wanted: str) -> None:
    document = "query($it: ID!) { me { alerts(portfolioId: $it) { totalCount nodes { id } } } }"
    own = world.holder.ask(document, {"it": world.holder.ids["Portfolio"]})
    assert own.body["data"]["me"]["alerts"]["nodes"]
    id = world.holder.ids["Portfolio"] if wanted == "foreign" else world.holder.missing("Portfolio")
    answer = world.stranger.ask(document, {"it": id})
    assert answer.codes == []
    assert answer.body["data"]["me"]["alerts"] == {"totalCount": 0, "nodes": []}


@pytest.mark.parametrize("wanted", ["foreign", "missing"])
@pytest.mark.parametrize("kind", ["accountIds", "portfolioIds"])
def test_transactions_of_a_foreign_place_are_none(world: World, wanted: str, kind: str) -> None:
    document = f"""query($it: [ID!]) {{ me {{ accounts {{ nodes {{
        transactions(filter: {{ {kind}: $it }}) {{ totalCount nodes {{ id }} }} }} }} }} }}"""
    type_name = "Account" if kind == "accountIds" else "Portfolio"
    own = world.holder.ask(document, {"it": [world.holder.ids[type_name]]})
    assert own.body["data"]["me"]["accounts"]["nodes"][0]["transactions"]["nodes"]
    id = world.holder.ids[type_name] if wanted == "foreign" else world.holder.missing(type_name)
    answer = world.stranger.ask(document, {"it": [id]})
    assert answer.codes == []
    nothing = {"transactions": {"totalCount": 0, "nodes": []}}
    assert answer.body["data"]["me"]["accounts"]["nodes"] == [nothing]


def test_every_argument_is_known() -> None:
    """A new argument or input field is an id of a known type, a cursor, a key, or has a sample value."""
    everything = dict.fromkeys(OWNED, "an id")
    for type_ in SCHEMA.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and type_.name[:2] != "__":
            for name, field in type_.fields.items():
                ids = {n for n, a in field.args.items() if is_id(n, a)} | KEYS
                if f"{type_.name}.{name}" not in BELOW_THE_ROOT:
                    assert type_.name in ("Query", "Mutation", "Subscription") or not ids & set(field.args), (
                        f"{type_.name}.{name}"
                    )
                if type_.name == "Mutation":
                    shape.valid(name, field.args, everything)
                else:
                    optional(type_.name, name, everything)
    inputs = {t.name for t in SCHEMA.type_map.values() if isinstance(t, GraphQLInputObjectType)}
    types = [t for t in SCHEMA.type_map.values() if isinstance(t, GraphQLObjectType)]
    arguments = [a for t in types for f in t.fields.values() for a in f.args.values()]
    assert inputs == shape.inputs_of(arguments), "an input that no field takes is not walked"


@pytest.mark.parametrize("name", BY_ID)
@pytest.mark.parametrize("type_name", sorted(OWNED))
def test_a_foreign_id_is_like_none(world: World, name: str, type_name: str) -> None:
    """Any root field that takes an id: the owner sees the thing, another one what they see of nothing."""
    field = fields_of("Query")[name]
    argument = next(n for n, a in field.args.items() if is_id(n, a))
    many = "[" in str(field.args[argument].type)
    # A field that answers with a text knows one type of id, and every other one is as good as none.
    is_text = get_named_type(field.type).name == "String"
    inner = "" if is_text else f"{{ __typename id ... on {type_name} {{ {holds(type_name, 1)} }} }}"
    document = f"query($it: {field.args[argument].type}) {{ {name}({argument}: $it) {inner} }}"

    def given(id: str) -> dict[str, object]:
        return {"it": [id, world.stranger.ids["Account"], id] if many else id}

    foreign, missing = world.holder.ids[type_name], world.holder.missing(type_name)
    with world.unchanged():
        answer = world.same(document, given(foreign), given(missing), foreign, missing)
        found = answer.body["data"][name]
        if many:
            assert [found[0], found[2]] == [None, None]
            assert found[1]["id"] == world.stranger.ids["Account"]
        else:
            assert found is None
        # The same document shows its owner the thing: the stranger is not refused for nothing.
        shown = world.holder.ask(document, {"it": [foreign] if many else foreign})
        assert "errors" not in shown.body
        is_its_own = not is_text or owned_type_of(name, argument) == type_name
        assert bool(world.holder.leaks_into(shown, [foreign])) == is_its_own
        for token in world.outsiders.values():
            shut = [world.stranger.caller.ask(token, document, given(id)) for id in (foreign, missing)]
            assert shut[0] == shut[1]
            assert shut[0].codes == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("name", sorted(fields_of("Query")))
def test_who_may_not_come_in_sees_nothing(world: World, name: str) -> None:
    """Every root field, to those without a good token."""
    assert f"Query.{name}" not in PUBLIC_FIELDS
    field = fields_of("Query")[name]
    values = {n: world.gone.ids["Account"] for n, a in field.args.items() if is_id(n, a)}
    values |= required(name, field, world.gone.ids)
    declared = ", ".join(f"${n}: {field.args[n].type}" for n in values)
    passed = ", ".join(f"{n}: ${n}" for n in values)
    kind = get_named_type(field.type).name
    inner = "" if kind == "String" else f"{{ {holds(kind, 1)} }}"
    head = f"query({declared}) {{ {name}({passed})" if values else f"query {{ {name}"
    document = f"{head} {inner} }}"
    with world.unchanged():
        for token in world.outsiders.values():
            answer = world.stranger.caller.ask(token, document, values)
            assert answer.codes == ["UNAUTHENTICATED"]
            assert not any((answer.body.get("data") or {}).values())


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_way_shows_ones_own(world: World, way: Way) -> None:
    """From the root to every field: the stranger meets nothing of the holder's."""
    of_administrators = way.steps[0] == ("Query", "users")
    filters = optional(*way.steps[-1], world.stranger.ids)
    plain = world.stranger.ask(*_asked(world, way, {}))
    filtered = world.stranger.ask(*_asked(world, way, filters))
    assert world.holder.leaks_into(plain) == world.holder.leaks_into(filtered) == []
    assert plain.codes == filtered.codes == (["FORBIDDEN"] if of_administrators else [])
    at_the_end = b'"node":{' if CURSORS & set(way.last.args) else b'"reached"'
    may_be_empty = EMPTY & {get_named_type(way.last.type).name, *(type_name for type_name, _ in way.steps)}
    assert of_administrators or may_be_empty or at_the_end in plain.content, "the samples do not lead there"


def _asked(
    world: World, way: Way, arguments: dict[str, object], **cursors: str
) -> tuple[str, dict[str, object]]:
    return way.query(world.stranger.ids, arguments, **cursors)


@pytest.mark.parametrize("way", LISTS, ids=str)
def test_a_foreign_cursor_tells_nothing(world: World, way: Way) -> None:
    """The holder's cursors are places in the stranger's list like those of nothing."""
    if way.steps == (("Query", "users"),):
        pytest.skip("of administrators")
    found = world.holder.ask(
        *_asked(world, Way((*way.steps, (get_named_type(way.last.type).name, "pageInfo"))), {})
    )
    cursors = [page["endCursor"] for page in _pages(found.body) if page["endCursor"]]
    assert cursors, "the samples of the holder's do not lead there"
    foreign = cursors[0]
    list_name, *keys, last = orjson.loads(base64.urlsafe_b64decode(foreign))
    if "-" in str(last) and len(str(last)) == 36:
        last = str(world.holder.neighbour(UUID(last)))
    missing = base64.urlsafe_b64encode(orjson.dumps([list_name, *keys, last])).decode()
    for name in sorted(CURSORS):
        document, variables = _asked(world, way, {}, **{name: foreign})
        _, others = _asked(world, way, {}, **{name: missing})
        answer = world.same(document, variables, others, foreign, missing)
        assert "errors" not in answer.body


def _pages(value: object) -> list[dict[str, str]]:
    if isinstance(value, dict):
        own = [value["pageInfo"]] if "pageInfo" in value else []
        return own + [page for inner in value.values() for page in _pages(inner)]
    return [page for inner in value for page in _pages(inner)] if isinstance(value, list) else []

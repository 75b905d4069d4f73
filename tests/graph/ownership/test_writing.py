"""Nobody writes another's data: every mutation, with another's id in every place that takes one."""

from itertools import product
from typing import Any

import pytest
from graphql import get_named_type

from graph.permissions import PUBLIC_FIELDS
from investing.auth.refresh_tokens import new_refresh_token
from tests.graph.conftest import PASSWORD
from tests.graph.ownership import people, stored
from tests.graph.ownership.asking import Caller
from tests.graph.ownership.conftest import World
from tests.graph.ownership.documents import fields_of, holds
from tests.graph.ownership.people import Person
from tests.graph.ownership.shape import OWNED, Position, positions, valid

MUTATIONS = fields_of("Mutation")
GUARDED = [name for name in MUTATIONS if f"Mutation.{name}" not in PUBLIC_FIELDS]
ADMINISTRATORS = {"recordSplit"}
"""They name nothing that is owned; tests/graph/market/test_splits.py says who may."""
# What ends something comes last.
CANCEL = "mutation($id: ID!) { cancelOrder(input: { orderId: $id }) { userErrors { message } } }"
ENDING = [name for name in GUARDED if name.startswith(("archive", "delete"))]
IN_ORDER = [name for name in GUARDED if name not in ADMINISTRATORS.union(ENDING)] + ENDING
BY_ID = [name for name in GUARDED if positions(name, MUTATIONS[name])]


def document_of(name: str) -> str:
    """The mutation, asking for all that it answers with."""
    field = MUTATIONS[name]
    declared = ", ".join(f"${n}: {a.type}" for n, a in field.args.items())
    passed = ", ".join(f"{n}: ${n}" for n in field.args)
    return f"mutation({declared}) {{ {name}({passed}) {{ {holds(get_named_type(field.type).name, 1)} }} }}"


def variables_of(name: str, person: Person) -> dict[str, Any]:
    """What the server would accept from this person."""
    variables = valid(name, MUTATIONS[name].args, person.ids)
    # The first transaction is an order's, which nobody reverses.
    seen = {"Transaction"} if name == "reverseTransaction" else set()
    for position in positions(name, MUTATIONS[name]):
        # Where two of a kind are required, they are two different ones.
        if position.type_name in seen:
            variables = position.put(variables, person.spare[position.type_name])
        seen.add(position.type_name)
    return variables


def _filled(places: list[Position], variables: dict[str, Any], ids: dict[Position, str]) -> dict[str, Any]:
    for place in places:
        if place in ids:
            variables = place.put(variables, ids[place])
    return variables


@pytest.mark.parametrize("name", BY_ID)
def test_a_foreign_id_is_like_none(world: World, name: str) -> None:
    """Another's id in any place, or in several, beside one's own in the others: as if nothing had it."""
    places = positions(name, MUTATIONS[name])
    document, own = document_of(name), variables_of(name, world.stranger)
    mixes = [mix for mix in product((False, True), repeat=len(places)) if any(mix)]
    with world.unchanged():
        for mix in mixes:
            foreign = {
                p: world.holder.ids[p.type_name] for p, other in zip(places, mix, strict=True) if other
            }
            missing = {p: world.holder.missing(p.type_name) for p in foreign}
            answer = world.same(
                document,
                _filled(places, own, foreign),
                _filled(places, own, missing),
                *foreign.values(),
                *missing.values(),
            )
            _is_not_found(answer.body["data"][name])


@pytest.mark.parametrize("name", BY_ID)
def test_an_id_of_another_type_is_like_none(world: World, name: str) -> None:
    """An id of every type in every place, another's or one's own."""
    document, own = document_of(name), variables_of(name, world.stranger)
    with world.unchanged():
        for place, type_name in product(positions(name, MUTATIONS[name]), sorted(OWNED)):
            if type_name == place.type_name:
                continue
            foreign, missing = world.holder.ids[type_name], world.holder.missing(type_name)
            answer = world.same(document, place.put(own, foreign), place.put(own, missing), foreign, missing)
            _is_not_found(answer.body["data"][name])
            mine = world.stranger.ask(document, place.put(own, world.stranger.ids[type_name]))
            assert mine == answer


def _is_not_found(payload: dict[str, Any]) -> None:
    assert [error["code"] for error in payload.pop("userErrors")] == ["NOT_FOUND"]
    payload.pop("__typename")
    assert not any(payload.values())


@pytest.mark.parametrize("name", GUARDED)
def test_who_may_not_come_in_changes_nothing(world: World, name: str) -> None:
    """Every mutation except those for logging in, with another's ids, with one's own and with nobody's."""
    document = document_of(name)
    with world.unchanged():
        for person in (world.holder, world.gone):
            own = variables_of(name, person)
            none = {place: person.missing(place.type_name) for place in positions(name, MUTATIONS[name])}
            for token in world.outsiders.values():
                answer = person.caller.ask(token, document, own)
                missing = person.caller.ask(token, document, _filled(list(none), own, none))
                assert answer == missing
                assert answer.codes == ["UNAUTHENTICATED"]
                assert answer.body["data"] == {name: None}


@pytest.fixture(scope="module")
def newcomer(caller: Caller, superuser_url: str, market: None) -> Person:
    """Somebody whose things may change."""
    return people.settle(people.register(caller), superuser_url)


@pytest.mark.parametrize("name", IN_ORDER)
def test_its_owner_may(newcomer: Person, name: str) -> None:
    """The same input with one's own ids is accepted: it is the id that is refused above, and nothing else."""
    if name.startswith("archive"):
        cancel_open_orders(newcomer)
    newcomer.do(document_of(name), **variables_of(name, newcomer))


def cancel_open_orders(person: Person) -> None:
    """Cancel what is open: a portfolio with open orders cannot be archived."""
    orders = "orders(first: 500) { nodes { id status } }"
    tree = person.do(f"{{ me {{ accounts {{ nodes {{ portfolios {{ nodes {{ {orders} }} }} }} }} }} }}")
    for account in tree["me"]["accounts"]["nodes"]:
        for portfolio in account["portfolios"]["nodes"]:
            for order in portfolio["orders"]["nodes"]:
                if order["status"] in ("PENDING", "ACCEPTED", "PARTIALLY_FILLED", "UNKNOWN"):
                    person.do(CANCEL, id=order["id"])


def test_a_name_that_another_has_is_free(world: World, superuser_url: str) -> None:
    """Names are unique among one's own things: that the holder has one must not be heard."""
    newcomer = people.settle(people.register(world.stranger.caller), superuser_url)
    canary = world.holder.canary
    taken = {
        "createAccount": f"{canary} savings",
        "createPortfolio": f"{canary} full",
        "createWatchlist": canary,
    }
    for name, another in taken.items():
        variables = variables_of(name, newcomer)
        variables["input"]["name"] = another
        newcomer.do(document_of(name), **variables)


def test_a_key_that_another_has_used_is_new(world: World, superuser_url: str) -> None:
    """Two users may make up the same idempotency key, and neither learns of it."""
    newcomer = people.settle(people.register(world.stranger.caller), superuser_url)
    variables = variables_of("deposit", newcomer)
    select = "SELECT key FROM idempotency_keys WHERE owner_id = $1 AND field = 'DEPOSIT' LIMIT 1"
    key = stored.run(superuser_url, lambda connection: connection.fetchval(select, world.holder.owner_id))
    variables["input"]["idempotencyKey"] = str(key)
    done = newcomer.do(document_of("deposit"), **variables)["deposit"]["transaction"]
    assert done["type"] == "DEPOSIT"
    assert done["amount"] == "1"


@pytest.mark.parametrize("name", ["refreshToken", "logout"])
def test_a_guessed_refresh_token_of_another(world: World, name: str) -> None:
    """It names its owner; with a wrong secret that owner, one shut out and nobody at all are the same."""
    nobody, _ = new_refresh_token(world.holder.neighbour(world.holder.owner_id))
    owners = [new_refresh_token(person.owner_id)[0] for person in (world.holder, world.gone)]
    document = document_of(name)
    with world.unchanged():
        for token in (*owners, *([world.gone.refresh_token] if name == "refreshToken" else [])):
            foreign, missing = {"input": {"refreshToken": token}}, {"input": {"refreshToken": nobody}}
            world.same(document, foreign, missing, token, nobody)


def test_a_guessed_password_of_another(world: World, superuser_url: str) -> None:
    """A wrong password of the holder's, the right one of who is shut out, any of nobody's: all the same.

    The attempt is in its user's audit log, and that is all that it leaves behind.
    """
    document = document_of("login")
    nobody = {"input": {"username": "nobody-there", "password": PASSWORD}}
    before = stored.checksums(superuser_url)
    for person, password in ((world.holder, "a wrong password"), (world.gone, PASSWORD)):
        for username in (person.canary, f"{person.canary}@example.org"):
            given = {"input": {"username": username, "password": password}}
            world.same(document, given, nobody, username, "nobody-there")
    after = stored.checksums(superuser_url)
    assert {table for table in before if before[table] != after[table]} == {"audit_log"}
    noted = int(after["audit_log"].split()[0]) - int(before["audit_log"].split()[0])
    assert noted == 4

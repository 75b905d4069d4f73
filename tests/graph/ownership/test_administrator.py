"""An administrator sees who there is, and nothing that is theirs."""

import pytest
from graphql import get_named_type, is_composite_type

from db.sessions import Sessions
from investing.auth.administration import set_administrator
from tests.graph.ownership.conftest import World
from tests.graph.ownership.documents import fields_of, holds
from tests.graph.ownership.people import Person
from tests.graph.ownership.shape import OWNED

USERS = "{ users { totalCount nodes { id username email fullName isAdmin isActive createdAt lastLoginAt } } }"
PLAINLY_THEIRS = {"alertsCursor", "timeZone"}
"""Fields without an inner selection that only the user sees."""
OF_A_USER = [n for n, f in fields_of("User").items() if is_composite_type(get_named_type(f.type))]
ABOUT_A_USER = {"id", "username", "email", "fullName", "isAdmin", "isActive", "createdAt", "lastLoginAt"}


@pytest.fixture(scope="module")
async def administrator(world: World, sessions: Sessions) -> Person:
    """The stranger, who owns things of his own, is one from now on."""
    assert await set_administrator(sessions, world.stranger.canary, True)
    return world.stranger


def test_who_there_is(world: World, administrator: Person) -> None:
    users = administrator.ask(USERS).body["data"]["users"]
    people = (world.holder, world.stranger, world.gone)
    assert users["totalCount"] == len(people)
    assert [(u["id"], u["username"], u["isAdmin"], u["isActive"]) for u in users["nodes"]] == [
        (p.ids["User"], p.canary, p is world.stranger, p is not world.gone) for p in people
    ]


def test_it_is_for_administrators(world: World, administrator: Person) -> None:
    answer = world.holder.ask(f"{USERS[:-1]} me {{ id }} }}")
    assert answer.codes == ["FORBIDDEN"]
    # The field that is refused blanks no other.
    assert answer.body["data"] == {"users": None, "me": {"id": world.holder.ids["User"]}}
    assert administrator.leaks_into(answer) == []


def test_only_what_tells_who_somebody_is_stands_open() -> None:
    """A new field of a user is on this list or asks whether it is the user who looks."""
    assert set(fields_of("User")) - set(OF_A_USER) - PLAINLY_THEIRS == ABOUT_A_USER


@pytest.mark.parametrize("name", sorted(PLAINLY_THEIRS))
def test_what_is_plainly_theirs_is_not_shown(administrator: Person, name: str) -> None:
    answer = administrator.ask(f"{{ users {{ edges {{ node {{ id {name} }} }} }} }}")
    assert set(answer.codes) == {"FORBIDDEN"}
    assert administrator.ask(f"{{ me {{ {name} }} }}").codes == []


@pytest.mark.parametrize("name", OF_A_USER)
def test_what_is_theirs_is_not_shown(world: World, administrator: Person, name: str) -> None:
    """One's own among all users is shown, everybody else's is refused."""
    inner = holds(get_named_type(fields_of("User")[name].type).name, 1)
    secret = {*world.holder.secrets, world.holder.figure} - {world.holder.canary, *_ids(world.holder)}
    answer = administrator.ask(f"{{ users {{ edges {{ node {{ id {name} {{ {inner} }} }} }} }} }}")
    assert set(answer.codes) == {"FORBIDDEN"}
    assert not secret & set(world.holder.leaks_into(answer))
    # The field is not null, so one refusal takes the whole page; by itself the administrator is shown.
    ahead = administrator.ask("{ users(first: 1) { pageInfo { endCursor } } }").body["data"]["users"]
    alone = administrator.ask(
        f"query($it: String) {{ users(first: 1, after: $it) {{ nodes {{ id {name} {{ {inner} }} }} }} }}",
        {"it": ahead["pageInfo"]["endCursor"]},
    )
    assert "errors" not in alone.body
    assert [user["id"] for user in alone.body["data"]["users"]["nodes"]] == [administrator.ids["User"]]
    assert world.holder.leaks_into(alone) == []


def _ids(person: Person) -> set[str]:
    return {person.ids["User"], str(person.owner_id), person.owner_id.hex}


@pytest.mark.parametrize("type_name", sorted(OWNED))
def test_an_id_of_anothers_is_like_none(world: World, administrator: Person, type_name: str) -> None:
    """Also a user's: `node` shows what is one's own, and `users` alone shows who there is."""
    document = f"query($id: ID!) {{ node(id: $id) {{ id ... on {type_name} {{ {holds(type_name, 1)} }} }} }}"
    foreign, missing = world.holder.ids[type_name], world.holder.missing(type_name)
    with world.unchanged():
        answer = world.same(document, {"id": foreign}, {"id": missing}, foreign, missing)
    assert answer.body["data"] == {"node": None}
    shared = "{ users { totalCount } node(id: $id) { id } nodes(ids: [$id]) { id } }"
    both = administrator.ask(f"query($id: ID!) {shared}", {"id": foreign}).body["data"]
    assert (both["node"], both["nodes"]) == (None, [None])

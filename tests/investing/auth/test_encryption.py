"""Encrypted secrets: bound to their rows, decrypted with every key, and re-encrypted despite a kill."""

import os
import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from db.sessions import Sessions
from investing.auth.encryption import DecryptionFailed, EncryptedSecret, SecretBox, SecretLocation, UnknownKey
from investing.auth.keys import KeyRing
from investing.auth.reencryption import keys_in_use, reencrypt_all
from investing.auth.secret_file import (
    GRACE_SECONDS,
    SEALING_KEYS,
    UnusableSecrets,
    drop,
    load_or_generate,
    rotate,
)
from tests.faults.waiting import until

ROOT = Path(__file__).resolve().parents[3]
PLACE = SecretLocation("api_keys", uuid.uuid4(), uuid.uuid4())
SECRET = b"a secret that is nobody's"


@pytest.fixture
def secret_box() -> SecretBox:
    return SecretBox(KeyRing.generate)


def test_what_is_sealed_opens_at_its_place(secret_box: SecretBox) -> None:
    sealed = secret_box.seal(PLACE, SECRET)
    assert secret_box.open(PLACE, sealed) == SECRET
    assert SECRET not in sealed.ciphertext
    assert sealed.key_id == secret_box.ring.active
    # Twice the same is not the same to whoever looks.
    assert secret_box.seal(PLACE, SECRET).ciphertext != sealed.ciphertext


@pytest.mark.parametrize("moved", ["table", "owner_id", "id"])
def test_a_swapped_row_is_refused(secret_box: SecretBox, moved: str) -> None:
    elsewhere = replace(PLACE, **{moved: "other" if moved == "table" else uuid.uuid4()})  # type: ignore[arg-type]
    with pytest.raises(DecryptionFailed, match="not the one that was sealed"):
        secret_box.open(elsewhere, secret_box.seal(PLACE, SECRET))


def test_every_changed_byte_is_refused(secret_box: SecretBox) -> None:
    sealed = secret_box.seal(PLACE, SECRET)
    for at in range(len(sealed.ciphertext)):
        changed = bytearray(sealed.ciphertext)
        changed[at] ^= 1
        with pytest.raises(DecryptionFailed):
            secret_box.open(PLACE, replace(sealed, ciphertext=bytes(changed)))
    for length in (0, 5, 12, 20, len(sealed.ciphertext) - 1):
        with pytest.raises(DecryptionFailed):
            secret_box.open(PLACE, replace(sealed, ciphertext=sealed.ciphertext[:length]))


def test_another_key_of_ours_does_not_open_it() -> None:
    ring = KeyRing.generate().rotate()
    secret_box = SecretBox(lambda: ring)
    other = next(kid for kid in ring.secrets if kid != ring.active)
    with pytest.raises(DecryptionFailed):
        secret_box.open(PLACE, replace(secret_box.seal(PLACE, SECRET), key_id=other))


def test_a_running_server_reads_a_new_key(tmp_path: Path) -> None:
    """Another process has rotated: what it sealed opens here without a start."""
    running = SecretBox.of(None, tmp_path)
    before = running.seal(PLACE, SECRET)
    rotate(tmp_path, SEALING_KEYS)
    after = SecretBox.of(None, tmp_path).seal(PLACE, SECRET)
    assert after.key_id != before.key_id
    # From now on it seals with the new one too, so that the former may be removed some time.
    assert running.seal(PLACE, SECRET).key_id == after.key_id
    assert running.open(PLACE, after) == running.open(PLACE, before) == SECRET
    with pytest.raises(UnknownKey):
        running.open(PLACE, EncryptedSecret(after.ciphertext, "nobody"))
    # The keys of tokens are others.
    assert load_or_generate(tmp_path).secrets.keys().isdisjoint(running.ring.secrets)


def test_keys_are_removed_a_day_later_at_the_earliest(tmp_path: Path) -> None:
    secret_box = SecretBox.of(None, tmp_path)
    first = secret_box.seal(PLACE, SECRET).key_id
    second = rotate(tmp_path, SEALING_KEYS).active
    third = rotate(tmp_path, SEALING_KEYS).active
    file = tmp_path / "secrets.json"
    before = file.read_bytes()
    with pytest.raises(UnusableSecrets, match="within the last day: nothing is removed"):
        drop(tmp_path, [first])
    assert file.read_bytes() == before
    day_ago = time.time() - GRACE_SECONDS
    os.utime(file, (day_ago + 60,) * 2)
    with pytest.raises(UnusableSecrets):
        drop(tmp_path, [first])
    os.utime(file, (day_ago - 60,) * 2)
    assert drop(tmp_path, ["nobody's"]) == []
    assert file.read_bytes() == before
    # The active one stays, whoever says that nothing is sealed with it.
    assert drop(tmp_path, [first, third]) == [first]
    left = load_or_generate(tmp_path, SEALING_KEYS)
    assert (left.active, set(left.secrets)) == (third, {second, third})
    assert oct(file.stat().st_mode & 0o777) == "0o600"


async def store(
    sessions: Sessions, superuser_url: str, secret_box: SecretBox, count: int
) -> dict[UUID, SecretLocation]:
    """Brokers' keys of three users, so many in all, each with its own id as the secret."""
    connection = await asyncpg.connect(superuser_url)
    places: dict[UUID, SecretLocation] = {}
    for name in ("a", "b", "c"):
        owner = uuid.uuid4()
        await connection.execute(
            "INSERT INTO users (id, username, email, password_hash) VALUES ($1, $2, $2, '')",
            owner,
            str(owner),
        )
        await connection.execute("INSERT INTO logins VALUES ($1, $2)", str(owner), owner)
        rows = []
        for n in range(count // 3 + 1):
            id = uuid.uuid4()
            places[id] = SecretLocation("api_keys", owner, id)
            sealed = secret_box.seal(places[id], id.bytes)
            rows.append((owner, id, "ALPACA", f"{name}{n}", "hint", sealed.ciphertext, sealed.key_id))
        await connection.executemany(
            "INSERT INTO api_keys (owner_id, id, broker, label, key_hint, ciphertext, encryption_key_id) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7)",
            rows,
        )
    await connection.close()
    return places


async def opened(
    superuser_url: str, secret_box: SecretBox, places: dict[UUID, SecretLocation]
) -> dict[str, int]:
    """How many are sealed with each key; every one of them opens."""
    connection = await asyncpg.connect(superuser_url)
    rows = await connection.fetch("SELECT id, ciphertext, encryption_key_id FROM api_keys")
    await connection.close()
    counts: dict[str, int] = {}
    for row in rows:
        if row["id"] in places:
            sealed = EncryptedSecret(row["ciphertext"], row["encryption_key_id"])
            assert secret_box.open(places[row["id"]], sealed) == row["id"].bytes
            counts[sealed.key_id] = counts.get(sealed.key_id, 0) + 1
    return counts


CODE = """
import asyncio, sys
from pathlib import Path
from db.sessions import open_sessions
from investing.auth import reencryption
from investing.auth.encryption import SecretBox

reencryption.AT_ONCE = 10

async def main():
    async with open_sessions(sys.argv[1], size=2) as sessions:
        await reencryption.reencrypt_all(sessions, SecretBox.of(None, Path(sys.argv[2])), lambda *_: None)

asyncio.run(main())
"""


def resealing(url: str, folder: Path) -> "subprocess.Popen[bytes]":
    """A process that re-encrypts, ten at a time."""
    environment = {**os.environ, "PYTHONPATH": "."}
    return subprocess.Popen([sys.executable, "-c", CODE, url, str(folder)], cwd=ROOT, env=environment)


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_sealing_anew_with_a_kill_midway(
    sessions: Sessions, superuser_url: str, app_url: str, tmp_path: Path, count: int
) -> None:
    """Promise 22: killed anywhere, all open; the next run does the rest."""
    secret_box = SecretBox.of(None, tmp_path)
    places = await store(sessions, superuser_url, secret_box, count)
    old = secret_box.ring.active
    rotate(tmp_path, SEALING_KEYS)
    process = resealing(app_url, tmp_path)
    try:

        async def is_under_way() -> bool:
            assert process.poll() is None, "it was done before it could be killed"
            return (await opened(superuser_url, secret_box, places)).get(old, 0) <= len(places) * 2 // 3

        await until(is_under_way, 120, 0.01)
    finally:
        process.kill()
        process.wait()
    counts = await opened(superuser_url, secret_box, places)
    new = SecretBox.of(None, tmp_path).ring.active
    assert set(counts) == {old, new}, "the kill came midway"
    assert await keys_in_use(sessions) == {old, new}
    assert sum(counts.values()) == len(places)
    assert await reencrypt_all(sessions, SecretBox.of(None, tmp_path), lambda *_: None) == counts[old]
    assert await opened(superuser_url, secret_box, places) == {new: len(places)}
    assert await keys_in_use(sessions) == {new}
    assert await reencrypt_all(sessions, SecretBox.of(None, tmp_path), lambda *_: None) == 0

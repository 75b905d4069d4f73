"""The command that re-encrypts everything, run as a process."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from db.sessions import Sessions
from investing.auth.encryption import SecretBox
from investing.auth.secret_file import GRACE_SECONDS
from tests.conftest import execute, on_one_server
from tests.investing.auth.test_encryption import ROOT, opened, store

TWO = [base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2)]


def run(url: str, folder: Path, *options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """`graphfolio rotate-keys` on this database, with this data folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHFOLIO_")}
    environment = {**kept, "DATABASE_URL": url, "GRAPHFOLIO_DATA_DIR": str(folder), **settings}
    command = [sys.executable, str(ROOT / "graphfolio.py"), "rotate-keys", *options]
    return subprocess.run(command, env=environment, cwd=folder.parent, capture_output=True, text=True)


@on_one_server
async def test_with_generated_keys(
    sessions: Sessions, superuser_url: str, owner_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    secret_box = SecretBox.of(None, folder)
    places = await store(sessions, superuser_url, secret_box, 6)
    former = secret_box.ring
    done = run(owner_url, folder)
    assert done.returncode == 0, done.stderr
    found = re.search(
        r"^Encrypted 9 secrets with the key (\w+)\.\nNo longer used: (\w+)\.\n\Z",
        done.stdout,
        re.MULTILINE,
    )
    assert found, done.stdout
    assert found[2] == former.active
    assert found[1] != secret_box.ring.active
    # The server that runs all the while reads the new key by itself.
    assert await opened(superuser_url, secret_box, places) == {found[1]: 9}
    kept = json.loads((folder / "secrets.json").read_text())
    assert kept["sealing_keys"]["keys"].keys() == {found[1], found[2]}
    # A day later nothing is sealed with the former key, but for what was sealed too late: that is done first.
    late = next(iter(places))
    sealed = SecretBox(lambda: former).seal(places[late], late.bytes)
    await execute(
        superuser_url,
        f"UPDATE api_keys SET ciphertext = '\\x{sealed.ciphertext.hex()}', "
        f"encryption_key_id = '{sealed.key_id}' WHERE id = '{late}'",
    )
    os.utime(folder / "secrets.json", (time.time() - GRACE_SECONDS - 60,) * 2)
    done = run(owner_url, folder, "--drop-unused")
    assert done.stdout.endswith(f"\nEncrypted 1 secret with the key {found[1]}.\nRemoved 1 unused key.\n"), (
        done.stdout,
        done.stderr,
    )
    kept = json.loads((folder / "secrets.json").read_text())
    assert kept["sealing_keys"]["keys"].keys() == {found[1]}
    assert await opened(superuser_url, SecretBox.of(None, folder), places) == {found[1]: 9}


@on_one_server
async def test_with_keys_of_a_setting(
    sessions: Sessions, superuser_url: str, owner_url: str, tmp_path: Path
) -> None:
    await execute(superuser_url, "DELETE FROM api_keys")
    folder = tmp_path / "data"
    places = await store(sessions, superuser_url, SecretBox.of(f"a:{TWO[0]}", folder), 6)
    done = run(owner_url, folder, GRAPHFOLIO_SEALING_KEYS=f"b:{TWO[1]},a:{TWO[0]}")
    assert done.stdout.endswith("\nEncrypted 9 secrets with the key b.\nNo longer used: a.\n"), done.stderr
    assert await opened(superuser_url, SecretBox.of(f"b:{TWO[1]}", folder), places) == {"b": 9}
    assert not (folder / "secrets.json").exists()
    # Without the key that sealed them, nothing is changed, and one line says so.
    lost = run(owner_url, folder, GRAPHFOLIO_SEALING_KEYS=f"a:{TWO[0]}")
    assert lost.returncode == 1
    assert lost.stderr == (
        "graphfolio: A stored secret is sealed with a key that is not among the sealing keys.\n"
    )

"""Keys: given by a setting, or made once in a file that only its owner reads."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from investing.auth.keys import InvalidKeys, KeyRing
from investing.auth.secret_file import UnusableSecrets, load_or_generate, rotate

A, B = b"\xfb" * 32, b"b" * 40
A64, B64 = base64.b64encode(A).decode(), base64.b64encode(B).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"a:{A64},b:{B64}",
        f" a: {A64} ,\n b:{B64.rstrip('=')}, ",
        f"a:{base64.urlsafe_b64encode(A).decode()},b:{B64}",
        json.dumps({"a": A64, "b": B64}),
    ],
)
def test_a_setting_names_keys_and_the_first_signs(text: str) -> None:
    ring = KeyRing.parse(text)
    assert (ring.active, dict(ring.secrets), ring.signing_secret) == ("a", {"a": A, "b": B}, A)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ",", "{}", "{", "a", "a:", f"a:{A64[:20]}", f":{A64}", f"a b:{A64}", f"a:{A64},a:{B64}"),
        *(f"a:{A64},b:{A64}", f"a:{A64[:-4]}!!!!", f"a:{A64[:-3]}", '{"a": 1}', '{"a": {"b": "c"}}'),
        json.dumps({"a": A64})[:-1] + f', "a": "{B64}"' + "}",
        "a:" + base64.b64encode(b"x" * 31).decode(),
    ],
)
def test_a_setting_that_is_not_safe_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidKeys) as refused:
        KeyRing.parse(text)
    message = str(refused.value)
    assert message
    assert "\n" not in message
    assert A64[:12] not in message


def test_a_ring_does_not_show_its_secrets() -> None:
    assert repr(KeyRing("a", {"a": A})) == "KeyRing(active='a')"


def test_the_first_start_makes_a_private_file(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data dir"
    ring = load_or_generate(folder)
    assert len(ring.signing_secret) == 32
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "secrets.json").stat().st_mode) == 0o600
    assert load_or_generate(folder) == ring
    assert load_or_generate(tmp_path) != ring
    assert sorted(path.name for path in folder.iterdir()) == ["secrets.json", "secrets.lock"]


def test_rotation_keeps_the_older_keys_and_what_else_is_in_the_file(tmp_path: Path) -> None:
    first = load_or_generate(tmp_path)
    path = tmp_path / "secrets.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "other": [1]}))
    second = rotate(tmp_path)
    assert second.active != first.active
    assert {kid: second.secrets[kid] for kid in first.secrets} == dict(first.secrets)
    assert load_or_generate(tmp_path) == second
    assert json.loads(path.read_text())["other"] == [1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def processes(folder: Path, function: str, count: int) -> list[str]:
    """Runs it in so many processes, which wait for one another before they start; the key each one got."""
    gate = folder.parent / "gate"
    program = (
        "import sys, time, pathlib\n"
        f"from investing.auth.secret_file import {function}\n"
        "print(flush=True)\n"
        "while not pathlib.Path(sys.argv[2]).exists(): pass\n"
        f"ring = {function}(pathlib.Path(sys.argv[1]))\n"
        "print(ring.active, ring.signing_secret.hex())\n"
    )
    command = [sys.executable, "-c", program, str(folder), str(gate)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    gate.touch()
    found = [process.communicate(timeout=30)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * count
    gate.unlink()
    return found


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        found = processes(folder, "load_or_generate", 4)
        ring = load_or_generate(folder)
        assert found == [f"{ring.active} {ring.signing_secret.hex()}"] * 4


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = load_or_generate(folder)
    found = processes(folder, "rotate", 4)
    ring = load_or_generate(folder)
    expected = {kid: bytes.fromhex(secret) for kid, secret in (line.split() for line in found)}
    assert dict(ring.secrets) == {**first.secrets, **expected}
    assert len(ring.secrets) == 5


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_or_generate(tmp_path)
    path = tmp_path / "secrets.json"
    path.chmod(mode)
    for function in (load_or_generate, rotate):
        with pytest.raises(UnusableSecrets) as refused:
            function(tmp_path)
        assert str(refused.value) == f"{path} can be read by others: chmod 600 it, or delete it for new keys."


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"null",
        b"[" * 100_000,
        b" " * (1 << 21),
        b'{"token_keys": 1}',
        b'{"token_keys": {"active": "a", "keys": {}}}',
        b'{"token_keys": {"active": "a", "keys": {"a": "c2hvcnQ="}}}',
        b'{"token_keys": {"active": "a", "keys": {"a": 1}}}',
        b'{"token_keys": {"active": ["a"], "keys": {"a": "b"}}}',
    ],
    ids=range(12),
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(content)
    path.chmod(0o600)
    for function in (load_or_generate, rotate):
        with pytest.raises(UnusableSecrets) as refused:
            function(tmp_path)
        message = str(refused.value)
        assert message.startswith(f"{path} is damaged")
        assert "\n" not in message
    assert path.read_bytes() == content


def test_a_link_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    elsewhere = tmp_path / "elsewhere"
    path.symlink_to(elsewhere)
    with pytest.raises(UnusableSecrets, match="cannot be used"):
        load_or_generate(tmp_path)
    assert not elsewhere.exists()
    path.unlink()
    path.mkdir()
    with pytest.raises(UnusableSecrets, match="is not a file"):
        load_or_generate(tmp_path)
    path.rmdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(UnusableSecrets, match="is not a file"):
        load_or_generate(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    load_or_generate(tmp_path)
    path = tmp_path / "secrets.json"
    os.chown(path, 65534, 65534)
    with pytest.raises(UnusableSecrets) as refused:
        load_or_generate(tmp_path)
    assert str(refused.value) == f"{path} belongs to another user: run as that user, or move it away."


def test_a_data_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(UnusableSecrets, match=r"cannot be used: (Not a directory|File exists)\.$"):
        load_or_generate(tmp_path / "data")

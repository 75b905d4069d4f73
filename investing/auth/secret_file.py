"""The file that keeps generated secrets: made at the first start, readable by its owner alone."""

import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from investing.auth.keys import InvalidKeys, KeyRing

FILE_NAME = "secrets.json"
_LOCK_NAME = "secrets.lock"
TOKEN_KEYS = "token_keys"
SEALING_KEYS = "sealing_keys"
_LARGEST = 1 << 20
GRACE_SECONDS = 24 * 3600.0
"""How long a key is kept after it was replaced, at the least: whoever was sealing with it has long ended."""


class UnusableSecrets(Exception):
    """The file cannot be trusted or read; the message is one line that says why, and nothing was changed."""


def load_or_generate(data_dir: Path, name: str = TOKEN_KEYS) -> KeyRing:
    """The keys of this name in `<data_dir>/secrets.json`, which is made with a new key where there is none.

    Processes that start together get the same keys. Raises UnusableSecrets.
    """
    path = data_dir / FILE_NAME
    with _one_line(path):
        if not path.is_symlink() and not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _change(data_dir, name, lambda ring: ring or KeyRing.generate())
        ring = _ring(_read(path), name)
        return ring or _change(data_dir, name, lambda ring: ring or KeyRing.generate())


def rotate(data_dir: Path, name: str = TOKEN_KEYS) -> KeyRing:
    """Puts a new active key into the file and keeps the older ones. Raises UnusableSecrets.

    Running servers know the new key once they have been started again.
    """
    with _one_line(data_dir / FILE_NAME):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _change(data_dir, name, lambda ring: ring.rotate() if ring else KeyRing.generate())


def drop(data_dir: Path, ids: Collection[str], name: str = SEALING_KEYS) -> list[str]:
    """Removes keys from the file, but not the active one: those that are gone. Raises UnusableSecrets.

    That too where the file was changed within GRACE_SECONDS: some key may have been replaced only then.
    """

    def decide(ring: KeyRing | None) -> KeyRing:
        if ring is None:
            raise InvalidKeys(f"there are no {name}")
        kept = {kid: secret for kid, secret in ring.secrets.items() if kid == ring.active or kid not in ids}
        gone.extend(ring.secrets.keys() - kept.keys())
        if not gone:
            return ring
        if time.time() - path.stat().st_mtime < GRACE_SECONDS:
            raise UnusableSecrets(f"{path} was changed within the last day: nothing is removed from it yet.")
        return KeyRing(ring.active, kept)

    gone: list[str] = []
    path = data_dir / FILE_NAME
    with _one_line(path):
        _change(data_dir, name, decide)
    return gone


def _change(data_dir: Path, name: str, decide: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
    """Reads, decides and writes while no other process does."""
    path = data_dir / FILE_NAME
    with _locked(data_dir / _LOCK_NAME):
        content = _read(path) if path.is_symlink() or path.exists() else {}
        before = _ring(content, name)
        after = decide(before)
        if after is not before:
            _write(path, {**content, name: after.to_json()})
        return after


def _read(path: Path) -> dict[str, Any]:
    # Neither following a link nor waiting for the other end of a pipe that someone has put there.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _distrust(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    try:
        content = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UnusableSecrets(f"{path} is damaged: restore it, or delete it for new keys.")
    return content


def _distrust(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise UnusableSecrets(f"{path} is not a file.")
    if about.st_uid != os.geteuid():
        raise UnusableSecrets(f"{path} belongs to another user: run as that user, or move it away.")
    if about.st_mode & 0o077:
        raise UnusableSecrets(f"{path} can be read by others: chmod 600 it, or delete it for new keys.")


def _ring(content: dict[str, Any], name: str) -> KeyRing | None:
    return KeyRing.from_json(content[name]) if name in content else None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all, also when the machine stops: a new file (mode 0600) takes the old one's place."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock file; the system lets go of it when a process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except InvalidKeys as invalid:
        raise UnusableSecrets(
            f"{path} is damaged ({invalid}): restore it, or delete it for new keys."
        ) from None
    except OSError as error:
        raise UnusableSecrets(f"{path} cannot be used: {error.strerror}.") from None

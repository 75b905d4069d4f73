"""The file of generated secrets: created at the first start, and readable only by its owner."""

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
"""How long a replaced key is kept at least: by then nothing is still encrypting with it."""


class UnusableSecrets(Exception):
    """The file cannot be trusted or read, and nothing was changed; the message is one line."""


def load_or_generate(data_dir: Path, name: str = TOKEN_KEYS) -> KeyRing:
    """Return the keys of this name in `<data_dir>/secrets.json`; create them if there are none.

    Processes that start together get the same keys. Raise UnusableSecrets.
    """
    path = data_dir / FILE_NAME
    with _one_line(path):
        if not path.is_symlink() and not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return _change(data_dir, name, lambda ring: ring or KeyRing.generate())
        ring = _ring(_read(path), name)
        return ring or _change(data_dir, name, lambda ring: ring or KeyRing.generate())


def rotate(data_dir: Path, name: str = TOKEN_KEYS) -> KeyRing:
    """Add a new active key to the file and keep the older ones. Raise UnusableSecrets.

    Running servers use the new key only after a restart.
    """
    with _one_line(data_dir / FILE_NAME):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _change(data_dir, name, lambda ring: ring.rotate() if ring else KeyRing.generate())


def drop(data_dir: Path, ids: Collection[str], name: str = SEALING_KEYS) -> list[str]:
    """Remove keys other than the active one from the file; return those that were removed.

    Raise UnusableSecrets, also if the file was changed within GRACE_SECONDS: a key may have been replaced
    only then.
    """

    def decide(ring: KeyRing | None) -> KeyRing:
        if ring is None:
            raise InvalidKeys(f"there are no {name}")
        kept = {kid: secret for kid, secret in ring.secrets.items() if kid == ring.active or kid not in ids}
        dropped.extend(ring.secrets.keys() - kept.keys())
        if not dropped:
            return ring
        if time.time() - path.stat().st_mtime < GRACE_SECONDS:
            raise UnusableSecrets(f"{path} was changed within the last day: nothing is removed from it yet.")
        return KeyRing(ring.active, kept)

    dropped: list[str] = []
    path = data_dir / FILE_NAME
    with _one_line(path):
        _change(data_dir, name, decide)
    return dropped


def _change(data_dir: Path, name: str, decide: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
    """Read, decide and write while no other process does."""
    path = data_dir / FILE_NAME
    with _locked(data_dir / _LOCK_NAME):
        content = _read(path) if path.is_symlink() or path.exists() else {}
        before = _ring(content, name)
        after = decide(before)
        if after is not before:
            _write(path, {**content, name: after.to_json()})
        return after


def _read(path: Path) -> dict[str, Any]:
    # Do not follow a link, and do not wait for the other end of a pipe that someone may have put there.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_trusted(path, os.fstat(descriptor))
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


def _check_trusted(path: Path, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise UnusableSecrets(f"{path} is not a file.")
    if about.st_uid != os.geteuid():
        raise UnusableSecrets(f"{path} belongs to another user: run as that user, or move it away.")
    if about.st_mode & 0o077:
        raise UnusableSecrets(f"{path} can be read by others: chmod 600 it, or delete it for new keys.")


def _ring(content: dict[str, Any], name: str) -> KeyRing | None:
    return KeyRing.from_json(content[name]) if name in content else None


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write the file completely or not at all, even in a power cut: a new file (mode 0600) replaces it."""
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
    """Hold the lock file; the system releases it when a process dies."""
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

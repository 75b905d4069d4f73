"""Passwords: argon2id, in threads of their own and few at once."""

import asyncio
import base64
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from investing.rules.auth.registration import MAX_PASSWORD

T = TypeVar("T")


class Checked(NamedTuple):
    """The outcome of a check; `renewed` is a new hash to store where the parameters have changed since."""

    is_right: bool
    renewed: str | None = None


class Passwords:
    """Hashes and checks passwords, `at_once` of them at a time: each takes 64 MiB and a core for a while."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        # An executor rather than a semaphore: a cancelled request frees no place whose thread works on.
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="password")
        self._nobodys = self._hash_of_nothing()

    async def hash(self, password: str) -> str:
        """The argon2id hash to store, with its parameters and salt."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> Checked:
        """Whether the password is the one that was hashed.

        With None, for a user who does not exist or has no usable hash, it takes as long and says no.
        """
        return await self._in_thread(lambda: self._verify(password, stored))

    def close(self) -> None:
        """Ends the threads; what waits for one is cancelled."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, stored: str | None) -> Checked:
        if len(password) > MAX_PASSWORD:
            password, stored = "", None  # nobody can have it; hashing megabytes would only cost
        known = stored if stored is not None and stored.startswith("$argon2id$") else None
        try:
            # Lone surrogates come in with JSON; nobody has them in a password, and they must not be a crash.
            self._hasher.verify(known or self._nobodys, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return Checked(False)
        if known is None:
            return Checked(False)
        if self._hasher.check_needs_rehash(known):
            return Checked(True, self._hasher.hash(password))
        return Checked(True)

    def _hash_of_nothing(self) -> str:
        """A hash that no password has, with the parameters that real ones have."""
        h = self._hasher
        salt, digest = (_unpadded(os.urandom(size)) for size in (h.salt_len, h.hash_len))
        return f"$argon2id$v=19$m={h.memory_cost},t={h.time_cost},p={h.parallelism}${salt}${digest}"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")

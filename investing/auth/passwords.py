"""Passwords: argon2id, in a few threads of their own."""

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
    """The outcome of a check; `renewed` is a new hash to store if the parameters have changed since."""

    is_right: bool
    renewed: str | None = None


class Passwords:
    """Hash and check passwords, `at_once` at a time: each takes 64 MiB and a core for a while."""

    def __init__(self, hasher: PasswordHasher | None = None, *, at_once: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        # An executor rather than a semaphore: a cancelled request frees no place while its thread still runs.
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="password")
        self._dummy_hash = self._make_dummy_hash()

    async def hash(self, password: str) -> str:
        """Return the argon2id hash to store, with its parameters and salt."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def verify(self, password: str, stored: str | None) -> Checked:
        """Return whether the password is the one that was hashed.

        With None, for a user who does not exist or has no usable hash, it takes equally long and the answer
        is no.
        """
        return await self._in_thread(lambda: self._verify(password, stored))

    def close(self) -> None:
        """End the threads; calls that wait for one are cancelled."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verify(self, password: str, stored: str | None) -> Checked:
        if len(password) > MAX_PASSWORD:
            password, stored = "", None  # nobody can have it, and hashing megabytes would only take time
        known = stored if stored is not None and stored.startswith("$argon2id$") else None
        try:
            # JSON may contain lone surrogates: no password has them, and they must not cause an error.
            self._hasher.verify(known or self._dummy_hash, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return Checked(False)
        if known is None:
            return Checked(False)
        if self._hasher.check_needs_rehash(known):
            return Checked(True, self._hasher.hash(password))
        return Checked(True)

    def _make_dummy_hash(self) -> str:
        """Return a hash that no password matches, with the parameters of real ones."""
        h = self._hasher
        salt, digest = (_unpadded(os.urandom(size)) for size in (h.salt_len, h.hash_len))
        return f"$argon2id$v=19$m={h.memory_cost},t={h.time_cost},p={h.parallelism}${salt}${digest}"

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _unpadded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")

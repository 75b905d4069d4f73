"""Commands that administer users, and the keys that encrypt their secrets."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from commands.opening import DataDir, counted, opened, progress, revealed, with_sessions
from db.sessions import Sessions

Who = Annotated[str, typer.Argument(help="A username or an e-mail address.")]


def _administrate(data_dir: Path | None, act: Callable[[Sessions], Awaitable[bool]], done: str) -> None:
    """Run `act`, which returns whether it changed anything, and print `done` if it did."""
    with opened(data_dir) as (_, found):
        changed = with_sessions(found.url, act)
    typer.echo(done if changed else "Nothing had to be changed.")


def grant_admin(user: Who, data_dir: DataDir = None) -> None:
    """Make a user an administrator."""
    from investing.auth.administration import set_administrator

    _administrate(data_dir, lambda s: set_administrator(s, user, True), f"{user} is an administrator now.")


def revoke_admin(user: Who, data_dir: DataDir = None) -> None:
    """Take the rights of an administrator away from a user."""
    from investing.auth.administration import set_administrator

    _administrate(
        data_dir, lambda s: set_administrator(s, user, False), f"{user} is no longer an administrator."
    )


def deactivate(user: Who, data_dir: DataDir = None) -> None:
    """Block a user from logging in, and end all their sessions."""
    from investing.auth.administration import set_active

    _administrate(data_dir, lambda s: set_active(s, user, False), f"{user} can no longer log in.")


def activate(user: Who, data_dir: DataDir = None) -> None:
    """Let a blocked user log in again."""
    from investing.auth.administration import set_active

    _administrate(data_dir, lambda s: set_active(s, user, True), f"{user} can log in again.")


def set_password(user: Who, data_dir: DataDir = None) -> None:
    """Set a user's password, read from the terminal or standard input, and end their sessions."""
    from investing.auth.administration import set_password as change

    if sys.stdin.isatty():
        password = typer.prompt("New password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with opened(data_dir) as (_, found):
        with_sessions(found.url, lambda sessions: change(sessions, user, password))
    typer.echo(f"The password of {user} is changed.")


def rotate_keys(
    drop_unused: Annotated[
        bool,
        typer.Option(
            "--drop-unused",
            help="Make no new key; remove generated keys that were replaced and are no longer used.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Encrypt stored secrets with a new key: a generated one, or the first of GRAPHFOLIO_SEALING_KEYS."""
    from investing.auth.encryption import SecretBox
    from investing.auth.reencryption import keys_in_use, reencrypt_all
    from investing.auth.secret_file import SEALING_KEYS, drop, rotate

    async def reencrypt(sessions: Sessions) -> tuple[int, set[str]]:
        return await reencrypt_all(sessions, secret_box, report), await keys_in_use(sessions)

    with opened(data_dir) as (settings, found), progress() as report:
        keys = revealed(settings.sealing_keys)
        if keys is None and not drop_unused:
            rotate(settings.data_dir, SEALING_KEYS)
        secret_box = SecretBox.of(keys, settings.data_dir)
        resealed, used = with_sessions(found.url, reencrypt)
        unused = sorted(secret_box.ring.secrets.keys() - used - {secret_box.ring.active})
        gone = drop(settings.data_dir, unused) if keys is None and drop_unused else []
    typer.echo(f"Encrypted {counted(resealed, 'secret', 'secrets')} with the key {secret_box.ring.active}.")
    if keys is None and drop_unused:
        typer.echo(f"Removed {counted(len(gone), 'unused key', 'unused keys')}.")
    elif unused:
        typer.echo(f"No longer used: {', '.join(unused)}.")

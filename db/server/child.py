"""A script, run as `python -I -S child.py PLAN`: the last steps in the child after a fork.

`execute` drops root's rights, asks the kernel to end it with its parent and becomes PostgreSQL, keeping the
process id that the parent knows. `watch` is for systems without that: it reads a pipe until the parent is
gone. They are in a script because Python may not safely run code between fork and exec once the parent has
threads.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAP_SETPCAP = 8
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
LINUX = sys.platform == "linux"


def fail(message: str) -> NoReturn:
    """Print the one line that the parent shows, to PostgreSQL's log, and exit."""
    print(f"FATAL:  {message}", file=sys.stderr, flush=True)
    os._exit(1)


class Capabilities:
    """Linux's capability calls, by ctypes because the standard library has none."""

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)

    def held(self) -> int:
        """Return the permitted capabilities, as a mask."""
        words = (ctypes.c_uint32 * 6)()
        if self.libc.capget(self.header, words) != 0:
            return 0
        return int(words[1]) | int(words[4]) << 32

    def set(self, effective: int, permitted: int, inheritable: int) -> bool:
        """Set the three masks; only the low word is ever needed here."""
        words = (ctypes.c_uint32 * 6)(effective, permitted, inheritable, 0, 0, 0)
        return bool(self.libc.capset(self.header, words) == 0)

    def prctl(self, option: int, *arguments: int) -> bool:
        """Make one prctl call, and return whether it succeeded."""
        padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
        return bool(self.libc.prctl(option, *padded) == 0)


def reachable(program: str, folders: list[str]) -> bool:
    """Return whether this process, with its present rights, can enter `folders` and may run `program`.

    `os.access` is also how PostgreSQL looks for its own files, so that it will get the same answer.
    """
    try:
        for folder in folders:
            os.stat(os.path.join(folder, "."))
    except PermissionError:
        return False
    return os.access(program, os.R_OK | os.X_OK)


def become(uid: int, gid: int, program: str, folders: list[str]) -> None:
    """Drop root for good, keeping the right to enter other users' folders only where it is needed."""
    capabilities = Capabilities() if LINUX else None
    keep = 0
    if capabilities is not None and capabilities.prctl(PR_SET_KEEPCAPS, 1):
        wanted = 1 << CAP_DAC_READ_SEARCH | 1 << CAP_DAC_OVERRIDE | 1 << CAP_SETPCAP
        keep = capabilities.held() & wanted
    try:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    except OSError as error:
        fail(f"root cannot become user {uid} here ({error.strerror}); start as an ordinary user instead")
    # The change of user has put every right out of effect, so that this is what the bare user reaches.
    if reachable(program, folders):
        if capabilities is not None:
            capabilities.set(0, 0, 0)
        return
    if capabilities is None or not keep_passing(capabilities, keep, program, folders):
        fail(
            f"user {uid}, which PostgreSQL runs as, cannot pass to {program} and {' and '.join(folders)}; "
            "open the folders above them with chmod o+x, or start as an ordinary user"
        )


def keep_passing(capabilities: Capabilities, keep: int, program: str, folders: list[str]) -> bool:
    """Take the least right that suffices, in a form that survives exec; return False if there is none."""
    setpcap = 1 << CAP_SETPCAP
    if keep & setpcap and capabilities.set(setpcap, keep, 0):
        # Without this bit access(2) answers for a user without any right; PostgreSQL would not find itself.
        capabilities.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE):
        one = 1 << capability
        if keep & one and capabilities.set(one, keep, 0) and reachable(program, folders):
            return capabilities.set(one, one, one) and capabilities.prctl(
                PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability
            )
    return False


def execute(plan: dict[str, Any]) -> NoReturn:
    """Become the program of the plan."""
    program: str = plan["argv"][0]
    if plan["uid"] is not None:
        become(plan["uid"], plan["gid"], program, plan["folders"])
    if plan["dies_with"] is not None:
        # After the change of user, which would have cleared it; then check the parent, because one that died
        # before this line sends no signal any more.
        Capabilities().prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != plan["dies_with"]:
            fail("the process that asked for PostgreSQL is gone")
    # Python ignores SIGPIPE, and what is ignored stays ignored over exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    try:
        os.execv(program, plan["argv"])
    except OSError as error:
        fail(f"{program} cannot be run ({error.strerror})")


def watch(plan: dict[str, Any]) -> None:
    """Wait for the end of the pipe; one byte before it means that the server was stopped properly."""
    if plan["uid"] is not None:
        os.setgroups([])
        os.setgid(plan["gid"])
        os.setuid(plan["uid"])
    if not os.read(plan["pipe"], 1):
        try:
            os.kill(plan["pid"], signal.SIGINT)
        except OSError:
            pass


if __name__ == "__main__":
    order: dict[str, Any] = json.loads(sys.argv[1])
    if "pipe" in order:
        watch(order)
    else:
        execute(order)

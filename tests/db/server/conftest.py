"""One data folder is made per run and copied, because most tests are about what happens to a made one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.db.server.holding import holding


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose server is stopped."""
    folder = tmp_path_factory.mktemp("template")
    with holding(folder) as holder:
        assert holder.url
        assert holder.stop() == 0
    return folder


@pytest.fixture
def made(template: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own, with a space in its path."""
    return copied(template, tmp_path / "data dir")


def copied(template: Path, folder: Path) -> Path:
    """Copy a data folder with the users its files belong to."""
    folder.mkdir(mode=0o711, parents=True)
    if template.joinpath("postgres").exists():
        # cp keeps owners, which shutil does not.
        subprocess.run([shutil.which("cp") or "cp", "-a", template / "postgres", folder], check=True)
    return folder

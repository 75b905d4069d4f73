"""`.ci/run`, in a folder of its own with a stand-in for what the README's command starts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[1] / ".ci" / "run"

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/usr/bin/chromium").exists(),
    reason="without chromium it would install one",
)


def ci(folder: Path, readme: str | None) -> subprocess.CompletedProcess[str]:
    (folder / ".ci").mkdir(parents=True)
    shutil.copy(RUN, folder / ".ci")
    (folder / "run.py").write_text("import sys; print(sys.argv[1:]); sys.exit(5)")
    for left in (".venv", ".graphfolio", "test-artifacts"):
        (folder / left).mkdir()
        (folder / left / "old").touch()
    if readme is not None:
        (folder / "README.md").write_text(readme)
    return subprocess.run([folder / ".ci" / "run"], capture_output=True, text=True, cwd="/", check=False)


def test_it_clears_up_and_runs_the_command_of_the_readme(tmp_path: Path) -> None:
    done = ci(tmp_path / "a clone", "Test it:\n\n```sh\npython3 run.py serve\npython3 run.py test\n```\n")
    assert (done.returncode, done.stdout) == (5, "$ python3 run.py test\n['test']\n")
    assert sorted(path.name for path in (tmp_path / "a clone").iterdir()) == [".ci", "README.md", "run.py"]


@pytest.mark.parametrize("readme", ["", "Say python3 run.py test.\n\npython3 run.py test\n", None])
def test_a_readme_without_the_command_fails(tmp_path: Path, readme: str | None) -> None:
    done = ci(tmp_path, readme)
    assert (done.returncode, done.stdout) == (1, "")
    assert ".ci/run: README.md " in done.stderr

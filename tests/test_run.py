"""`run.py` in folders of its own: real virtual environments and real installations, of tiny packages."""

import hashlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import PATIENCE

RUN = Path(__file__).resolve().parents[1] / "run.py"
GRAPHFOLIO = """\
import sys, time
import tiny
print(tiny.VERSION, sys.argv[1:], flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
sys.exit(7)
"""
CHECK = (
    "import os, sys; print('{0}', sys.argv[1:]); sys.exit('{0}' in os.environ.get('FAILING', '').split(','))"
)


class Checkout:
    """A folder with a copy of `run.py`, a lock of one tiny package, and the wheels that pip finds."""

    def __init__(self, root: Path) -> None:
        self.root = root / "a checkout"
        self.wheels = root / "wheels"
        self.root.mkdir(parents=True)
        self.wheels.mkdir()
        shutil.copy(RUN, self.root)
        (self.root / "graphfolio.py").write_text(GRAPHFOLIO)
        self.lock("requirements.lock", "tiny", "1.0", {"tiny.py": "VERSION = 'tiny 1.0'\n"})

    def lock(self, name: str, package: str, version: str, modules: dict[str, str]) -> None:
        """Make a wheel and pin it."""
        wheel = self.wheels / f"{package}-{version}-py3-none-any.whl"
        information = f"{package}-{version}.dist-info"
        files = {
            **modules,
            f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
            f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{information}/RECORD": "",
        }
        if "lint_imports.py" in modules:
            files[f"{information}/entry_points.txt"] = "[console_scripts]\nlint-imports = lint_imports:main\n"
        files[f"{information}/RECORD"] = "".join(f"{path},,\n" for path in files)
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (self.root / name).write_text(f"{package}=={version} --hash=sha256:{digest}\n")

    def begin(
        self, *arguments: str, python: str = sys.executable, **environment: str
    ) -> subprocess.Popen[str]:
        """Start `run.py` with pip looking at those wheels alone."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        offline = {"PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
        if "PIP_INDEX_URL" not in environment:
            offline |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels.as_uri()}
        return subprocess.Popen(
            [python, str(self.root / "run.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={**bare, **offline, **environment},
        )

    def run(self, *arguments: str, python: str = sys.executable, **environment: str) -> tuple[int, str, str]:
        """Run it to the end: exit code, output, errors."""
        process = self.begin(*arguments, python=python, **environment)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout whose `.venv` is made."""
    checkout = Checkout(tmp_path_factory.mktemp("built"))
    assert checkout.run("hello", "you there") == (
        7,
        "tiny 1.0 ['hello', 'you there']\n",
        "Creating .venv ...\nInstalling requirements.lock ...\n",
    )
    return checkout


def test_a_later_start_is_quiet_and_costs_next_to_nothing(built: Checkout) -> None:
    assert built.run("hello") == (7, "tiny 1.0 ['hello']\n", "")

    def seconds(command: list[str | Path]) -> float:
        """Of work: those of the clock are more on a busy machine."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    python = built.root / ".venv" / "bin" / "python"
    through = min(seconds([sys.executable, built.root / "run.py", "hello"]) for _ in range(7))
    straight = min(seconds([python, built.root / "graphfolio.py", "hello"]) for _ in range(7))
    assert through - straight < 0.1


def test_signals_reach_the_command_itself(built: Checkout) -> None:
    with built.begin("wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "tiny 1.0 ['wait']\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == -signal.SIGTERM


def test_a_changed_lock_is_installed_and_a_wrong_hash_is_not(built: Checkout) -> None:
    lock = built.root / "requirements.lock"
    built.lock(lock.name, "tiny", "2.0", {"tiny.py": "VERSION = 'tiny 2.0'\n"})
    good = lock.read_text()
    lock.write_text(good[:-5] + "0000\n")
    code, out, err = built.run("hello")
    assert (code, out) == (1, "")
    assert err.splitlines()[1].startswith(
        "run.py: pip could not install: THESE PACKAGES DO NOT MATCH THE HASHES"
    )
    assert len(err.splitlines()) == 2
    lock.write_text(good)
    assert built.run("hello") == (7, "tiny 2.0 ['hello']\n", "Installing requirements.lock ...\n")


def test_the_checks_run_in_order_and_the_failed_are_named(built: Checkout) -> None:
    modules = {f"{name}.py": CHECK.format(name) for name in ("ruff", "mypy", "pytest")}
    lint = "\n".join(("def main():", "    print('lint-imports')"))
    built.lock("requirements-dev.lock", "checks", "1.0", {**modules, "lint_imports.py": lint})
    code, out, err = built.run("test", FAILING="mypy,pytest")
    assert out.split("\n") == [
        "",
        "=== ruff check",
        "ruff ['check', '.']",
        "",
        "=== ruff format --check",
        "ruff ['format', '--check', '.']",
        "",
        "=== mypy",
        "mypy []",
        "",
        "=== lint-imports",
        "lint-imports",
        "",
        "=== pytest",
        "pytest ['-n', '3']",
        "",
        "=== failed: mypy, pytest",
        "",
    ]
    assert (code, err) == (1, "Installing requirements-dev.lock ...\n")
    code, out, err = built.run("test")
    assert (code, out.splitlines()[-1], err) == (0, "=== all passed", "")
    assert built.run("test", "-k", "a b") == (0, "pytest ['-k', 'a b']\n", "")
    assert built.run("test", "-x", FAILING="pytest") == (1, "pytest ['-x']\n", "")
    code, out, err = built.run("check", FAILING="pytest")
    assert (code, out.count("==="), err) == (0, 5, "")


def test_a_missing_lock(built: Checkout) -> None:
    lock = built.root / "requirements.lock"
    text = lock.read_text()
    lock.unlink()
    assert built.run("serve") == (
        1,
        "",
        "run.py: requirements.lock is missing beside run.py; "
        "restore it with: git checkout requirements.lock\n",
    )
    lock.write_text(text)


def test_a_network_that_is_down(built: Checkout) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        index = f"http://user:s3cr3t@127.0.0.1:{closed.getsockname()[1]}/simple"
    lock = built.root / "requirements.lock"
    text = lock.read_text()
    lock.write_text(text.replace("tiny==", "tinier=="))
    code, out, err = built.run("serve", PIP_INDEX_URL=index)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "Installing requirements.lock ...",
        "run.py: the package index cannot be reached; check the network and try again. "
        "pip: No matching distribution found for " + lock.read_text().split()[0],
    ]
    # What stood there is still good.
    lock.write_text(text)
    assert built.run("hello")[0] == 7


def test_a_kill_in_the_middle_is_redone_and_two_at_once_wait(built: Checkout) -> None:
    built.lock("requirements.lock", "tiny", "3.0", {"tiny.py": "VERSION = 'tiny 3.0'\n"})
    installing = built.root / ".venv" / "run.installing"
    with built.begin("hello") as first:
        deadline = time.monotonic() + 60
        while not installing.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        first.kill()
    assert installing.exists()
    with built.begin("one") as one, built.begin("two") as two:
        told = [process.communicate(timeout=120) for process in (one, two)]
    assert [out for out, _ in told] == ["tiny 3.0 ['one']\n", "tiny 3.0 ['two']\n"]
    assert not installing.exists()
    # Exactly one of them made the environment anew; the other waited for it.
    assert sum("Creating .venv" in err for _, err in told) == 1
    assert any("Waiting for another run.py that is installing." in err for _, err in told)


OLD = sorted(Path.home().glob(".pyenv/versions/3.[89].*/bin/python"))


@pytest.mark.skipif(not OLD, reason="no old Python is installed here")
def test_an_old_python_says_so(checkout: Checkout) -> None:
    for python in OLD:
        version = python.parents[1].name.rpartition(".")[0]
        code, out, err = checkout.run("demo", python=str(python))
        assert (code, out) == (1, "")
        assert err.startswith(f"run.py: Graphfolio needs Python 3.11 or newer and this is {version}; ")
        assert err.count("\n") == 1
    assert not (checkout.root / ".venv").exists()


def test_a_python_without_venv(checkout: Checkout, tmp_path: Path) -> None:
    # As on a bare Debian, where the package python3-venv is what brings the module.
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "ensurepip.py").write_text("raise ImportError('not here')")
    code, out, err = checkout.run("demo", PYTHONPATH=str(tmp_path / "bare"))
    assert (code, out) == (1, "")
    assert err.startswith("run.py: this Python has no venv module; install ")
    if Path("/usr/bin/apt").exists():
        assert err.endswith("apt install python3-venv\n")


def test_no_arguments_tell_the_usage(checkout: Checkout) -> None:
    code, out, err = checkout.run()
    assert (code, err) == (2, "")
    assert out.startswith("python3 run.py demo ")


def test_an_environment_of_somebody_else_is_not_removed(checkout: Checkout) -> None:
    other = checkout.root / ".venv"
    (other / "bin").mkdir(parents=True)
    (other / "pyvenv.cfg").write_text("home = /nowhere\n")
    code, out, err = checkout.run("demo")
    assert (code, out) == (1, "")
    assert err.endswith(f"remove it and run this again: rm -r '{other}'\n")
    assert sorted(path.name for path in other.iterdir()) == ["bin", "pyvenv.cfg"]


@pytest.fixture
def small_checkout(tmp_path: Path) -> Iterator[Checkout]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount the small disk that this test fills")
    yield Checkout(disk)
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk(small_checkout: Checkout) -> None:
    code, out, err = small_checkout.run("demo")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "Creating .venv ...",
        f"run.py: the disk that holds {small_checkout.root} is full; free about 1 GB and run this again",
    ]

"""Graphfolio's commands in the tests' own process, whose start is most of what a short command costs."""

import gc
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from unittest.mock import patch

import pytest

import graphfolio

# It leaves this to a process that ends soon.
gc.enable()

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_here(
    capfd: pytest.CaptureFixture[str], arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `graphfolio.py` with these arguments to its end; return what a process would have left."""
    capfd.readouterr()
    line = ["graphfolio.py", *arguments]
    root, ours = logging.getLogger(), logging.getLogger("graphfolio")
    # The tests' server is in this process too: a stream that ends meanwhile is not the command's to log.
    access = logging.getLogger("graphfolio.access")
    # A process takes its log with it: what runs on here must not write to the command's captured stream.
    handlers, levels = list(root.handlers), (root.level, ours.level)
    here = patch.object(sys, "argv", line), patch.dict(os.environ, environment, clear=True)
    with here[0], here[1], patch.object(access, "disabled", True):
        try:
            code = graphfolio.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            root.handlers[:] = handlers
            root.setLevel(levels[0])
            ours.setLevel(levels[1])
            logging.captureWarnings(False)
    sys.stdout.flush()
    sys.stderr.flush()
    return subprocess.CompletedProcess(line, code, *capfd.readouterr())


def run_on(
    capfd: pytest.CaptureFixture[str], owner_url: str, data_dir: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a command on a database to its end, with this folder for its data."""
    environment = {**os.environ, "DATABASE_URL": owner_url}
    return run_here(capfd, [*words, "--data-dir", str(data_dir)], environment)

"""Graphfolio's commands in the tests' own process, whose start is most of what a short command costs."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
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
    with patch.object(sys, "argv", line), patch.dict(os.environ, environment, clear=True):
        try:
            code = graphfolio.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    return subprocess.CompletedProcess(line, code, *capfd.readouterr())

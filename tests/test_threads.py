"""What the command line says to NumPy's libraries before they are loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from savant_reid.__main__ import THREAD_SETTINGS

_STARTED = """
import os, sys
from savant_reid.__main__ import main
assert "numpy" not in sys.modules, "loaded before it could be told"
sys.argv[1:] = ["--version"]
try:
    main()
except SystemExit:
    pass
import numpy
print(os.environ["OPENBLAS_NUM_THREADS"], len(os.listdir("/proc/self/task")))
"""


def started(**settings: str) -> list[str]:
    """What OPENBLAS_NUM_THREADS was when NumPy had been loaded, and how many threads the process then had."""
    clean = {name: value for name, value in os.environ.items() if name not in THREAD_SETTINGS}
    command = [sys.executable, "-c", _STARTED]
    done = subprocess.run(command, capture_output=True, text=True, env={**clean, **settings})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-2:]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_one_thread_unless_the_user_says_otherwise():
    """Other libraries start threads too: there are as many as where the user has asked for one."""
    assert started() == started(**dict.fromkeys(THREAD_SETTINGS, "1"))
    assert started()[0] == "1"
    assert started(OPENBLAS_NUM_THREADS="2")[0] == "2"


def test_the_command_starts_there():
    """Started at the command line's own module, it would load NumPy first."""
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    assert 'savant-reid = "savant_reid.__main__:main"' in project

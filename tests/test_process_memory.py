"""Memory is that of this process, whoever started it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from savant_reid.process_memory import peak_mib, resident_mib

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")

_SAY = "from savant_reid.process_memory import peak_mib; print(peak_mib())"


def test_a_large_parent_does_not_count():
    held = np.ones(200 << 17)  # 200 MiB, touched
    assert resident_mib() > 200
    child = subprocess.run([sys.executable, "-c", _SAY], capture_output=True, text=True, check=True)
    assert 1 < float(child.stdout) < 100
    assert held.nbytes == 200 << 20


def test_what_was_given_back_still_counts_for_the_peak():
    before = resident_mib()
    held = np.ones(100 << 17)
    assert resident_mib() > before + 90
    del held
    assert resident_mib() < before + 50
    assert peak_mib() > before + 90

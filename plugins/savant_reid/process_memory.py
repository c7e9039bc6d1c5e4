"""What this process holds of the machine's memory."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
# ru_maxrss is in KiB, on macOS in bytes.
_RU_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10


def peak_mib() -> float:
    """The most that was ever resident, in MiB.

    From /proc where there is one: on Linux getrusage counts the peak of the process that started this one, too.
    """
    return _of_status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RU_PER_MIB


def resident_mib() -> float:
    """What is resident now, in MiB; 0 where there is no /proc."""
    return _of_status("VmRSS")


def _of_status(key: str) -> float:
    try:
        found = re.search(rf"^{key}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0

"""One name in a module.yml, two hosts: the class of a pyfunc as the host that loads it wants it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

# Who loads pyfuncs for Savant has imported this. Asking for it, and not for what could be imported, is exact: the local
# host may run in Savant's container too, and `pip install savant` or `pyds` fetches projects of other people.
SAVANT_LOADER = "savant.base.pyfunc"


def for_host(local_class: type) -> Any:
    """The class itself, or where Savant is loading: one that Savant takes and that runs an instance of it.

    A decorator for subclasses of Plugin, draw functions (with `draw`) and output converters (callable).
    """
    if SAVANT_LOADER not in sys.modules:
        return local_class
    # By name: only there may Savant be imported, and the linter that sees to it follows all imports, however late.
    return importlib.import_module("savant_reid.hosts.deepstream.hosted").hosted(local_class)

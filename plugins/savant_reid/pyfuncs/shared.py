"""The resolvers, one per site, shared by all elements of a process.

Savant executes a pyfunc's module afresh for every element that names it, and again when it is reloaded in development
mode; state in there is lost or doubled. This module is imported normally, so every element and every reload finds the
same resolver. That is why, alone in this project, there is state at module level.
"""

from __future__ import annotations

import threading
from pathlib import Path

from savant_reid.identity.resolver import Resolver
from savant_reid.site import load_site

_lock = threading.Lock()
_resolvers: dict[Path, Resolver] = {}


def resolver_for(site_file: str | Path) -> Resolver:
    """The resolver of a site, made at the first call. Raises ConfigError if the site file is wrong."""
    path = Path(site_file).resolve()
    with _lock:
        if path not in _resolvers:
            site = load_site(path)
            _resolvers[path] = Resolver(site.topology(), site.policy())
        return _resolvers[path]


def forget(site_file: str | Path) -> None:
    """Drop a site's resolver; the next call makes a new one. For hosts that run several modules in one process."""
    with _lock:
        _resolvers.pop(Path(site_file).resolve(), None)

"""The resolvers, one per site, shared by all elements of a process.

Savant executes a pyfunc's module afresh for every element that names it, and again when it is reloaded in development
mode; state in there is lost or doubled. This module is imported normally, so every element and every reload finds the
same resolver. That is why, alone in this project, there is state at module level.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from savant_reid.identity.constraints import Constraints
from savant_reid.identity.resolver import Resolver
from savant_reid.identity.search import search_for
from savant_reid.site import load_site
from savant_reid.site_learned import load_learned
from savant_reid.site_people import load_enrolment


@dataclass(frozen=True)
class SharedResolver:
    """lock: to be held while the resolver is used. Queues between Savant's elements give each a thread of its own."""

    resolver: Resolver
    lock: threading.Lock


_lock = threading.Lock()
_resolvers: dict[Path, SharedResolver] = {}


def resolver_for(site_file: str | Path, constraints: Constraints | None = None) -> Resolver:
    """The resolver of a site, for hosts with one thread. Raises as shared_resolver."""
    return shared_resolver(site_file, constraints).resolver


def shared_resolver(site_file: str | Path, constraints: Constraints | None = None) -> SharedResolver:
    """The resolver of a site, made at the first call, which may say what people have decided before (constraints).

    Raises ConfigError if the site file is wrong or the search it names cannot run here, DataError if its enrolment file
    is wrong.
    """
    path = Path(site_file).resolve()
    with _lock:
        if path not in _resolvers:
            site = load_site(path)
            people = load_enrolment(site)
            resolver = Resolver(
                site.topology(),
                site.policy(),
                learned=load_learned(site),
                enrolment=people,
                constraints=constraints,
                search=search_for(site.identity.search),
            )
            _resolvers[path] = SharedResolver(resolver, threading.Lock())
        return _resolvers[path]


def forget(site_file: str | Path) -> None:
    """Drop a site's resolver; the next call makes a new one. For hosts that run several modules in one process."""
    with _lock:
        _resolvers.pop(Path(site_file).resolve(), None)

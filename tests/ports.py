"""Ports for servers under test."""

from __future__ import annotations

import socket


def free_port() -> int:
    """One that nobody on this machine has just now."""
    with socket.create_server(("0.0.0.0", 0)) as probe:
        return int(probe.getsockname()[1])

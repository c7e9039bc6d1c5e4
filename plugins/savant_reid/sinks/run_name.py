"""What a run is called in messages: it tells its frames and events, which count from 0, from those of other runs."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone


def new_run_name() -> str:
    """Sorts by time; no two are the same, on whatever machine."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"

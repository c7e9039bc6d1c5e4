"""How an interrupt ends what takes long: once cleanly, twice at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_on_signal(stop: Callable[[], None], tell: Callable[[str], None]) -> Iterator[None]:
    """The first SIGINT or SIGTERM is told of and calls `stop`; the second one acts as if nobody listened.

    Does nothing in a thread that is not the main one: signals never come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Mapping[int, Any] = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def heed(number: int, _: Any) -> None:
        tell(f"{signal.Signals(number).name}: finishing; once more ends at once")
        signal.signal(number, before[number])
        stop()

    for number in before:
        signal.signal(number, heed)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

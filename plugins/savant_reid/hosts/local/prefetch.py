"""Lets the work on the next batch overlap with the work on this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Prefetch(Iterable[T]):
    """Iterates `source` in a thread of its own, at most `ahead` items in front of the consumer, in order.

    An exception of the source is raised to the consumer at its place. `close` makes the thread end at its next item.
    stop: makes a source end that waits for an item which may never come (a silent camera); called by `close`.
    """

    def __init__(self, source: Iterable[T], ahead: int = 2, stop: Callable[[], None] = lambda: None) -> None:
        self._source = source
        self._stop = stop
        self._items: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(maxsize=ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)

    def __iter__(self) -> Iterator[T]:
        self._thread.start()
        while True:
            more, item = self._items.get()
            if more:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return

    def close(self) -> None:
        """Throw away what has not been consumed and wait for the thread."""
        self._closed.set()
        self._stop()
        while self._thread.is_alive():
            try:
                self._items.get(timeout=0.05)
            except queue.Empty:
                continue

    def _work(self) -> None:
        end: BaseException | None = None
        try:
            for item in self._source:
                if self._closed.is_set():
                    break
                self._items.put((True, item))
        except BaseException as error:
            end = error
        self._items.put((False, end))

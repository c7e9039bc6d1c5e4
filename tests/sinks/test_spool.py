"""The queue on disk."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from savant_reid.errors import OutputError
from savant_reid.sinks.spool import Message, Spool


def messages(*numbers, size=10):
    return [(number, Message(f"run/{number}", "site/door", bytes(size))) for number in numbers]


def test_messages_come_back_in_order_and_what_was_removed_is_gone(tmp_path):
    spool = Spool(tmp_path / "a.sqlite")
    spool.append(messages(5, 6, 9))
    spool.append(messages(2))  # one that was in flight when those after it were written
    assert spool.read(-1, 10) == messages(2, 5, 6, 9)
    assert spool.read(5, 1) == messages(6)
    spool.remove(messages(2, 6))
    spool.close()
    again = Spool(tmp_path / "a.sqlite")
    assert (again.count, again.last) == (2, 9)
    assert again.size_bytes == sum(message.size_bytes for _, message in messages(5, 9))
    assert again.read(-1, 10) == messages(5, 9)
    again.close()


def test_an_empty_spool_leaves_no_file(tmp_path):
    spool = Spool(tmp_path / "a.sqlite")
    spool.append(messages(1))
    spool.sync()
    spool.remove(messages(1))
    spool.close()
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_small_again_after_an_outage(tmp_path):
    spool = Spool(tmp_path / "a.sqlite")
    for first in range(0, 1000, 100):
        spool.append(messages(*range(first, first + 100), size=100_000))
        spool.sync()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 150e6
    while some := spool.read(-1, 100):
        spool.remove(some)
        spool.sync()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 30e6
    spool.append(messages(2000))
    assert spool.read(-1, 10) == messages(2000)
    spool.close()


WRITER = """
import sys
from pathlib import Path
from savant_reid.sinks.spool import Message, Spool
spool = Spool(Path(sys.argv[1]))
for number in range(100_000):
    spool.append([(number, Message(f"run/{number}", "site/door", b"0123456789"))])
    print(number, flush=True)
    if number % 50 == 0:
        spool.sync()
"""


def test_what_was_taken_survives_sigkill(tmp_path):
    path = tmp_path / "a.sqlite"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line == "2000\n":
                break
        writer.send_signal(signal.SIGKILL)
        said = [int(text) for text in writer.stdout.read().splitlines() if text] or [2000]
    spool = Spool(path)
    found = [number for number, _ in spool.read(-1, 200_000)]
    assert found == list(range(len(found)))
    assert found[-1] >= said[-1]
    spool.close()


def test_two_threads_lose_nothing(tmp_path):
    spool = Spool(tmp_path / "a.sqlite")
    removed: list[int] = []

    def remove() -> None:
        while len(removed) < 2000:
            some = spool.read(-1, 50)
            spool.remove(some)
            spool.sync()
            removed.extend(number for number, _ in some)

    thread = threading.Thread(target=remove)
    thread.start()
    for number in range(2000):
        spool.append(messages(number))
    thread.join()
    assert removed == list(range(2000))
    assert (spool.count, spool.size_bytes) == (0, 0)
    spool.close()


def test_half_an_append_is_none(tmp_path):
    spool = Spool(tmp_path / "a.sqlite")
    spool.append(messages(1))
    with pytest.raises(sqlite3.Error):
        spool.append(messages(2, 1))
    assert spool.read(-1, 10) == messages(1)
    assert spool.count == 1
    spool.close()


def test_a_file_of_another_kind_is_named(tmp_path):
    (tmp_path / "a.sqlite").write_text("my notes" * 1000)
    with pytest.raises(OutputError, match=r"a\.sqlite: cannot be used as a spool: file is not a database"):
        Spool(tmp_path / "a.sqlite")
    with pytest.raises(OutputError, match="cannot be used as a spool"):
        Spool(tmp_path / "none" / "a.sqlite")

"""Fetching from a real server on this machine: whole, broken off, gone on with, and the wrong file."""

from __future__ import annotations

import hashlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from model_builder.cards import Card, Licence, Source, load_card
from model_builder.fetch import FetchError, LicenceNotAccepted, cached_file, fetch
from tests.model_builder.file_server import Served, serving

CONTENT = np.random.default_rng(3).bytes(700_001)
NAME = "weights v1.pth"


@pytest.fixture
def server() -> Iterator[Served]:
    with serving(CONTENT) as served:
        yield served


def card_at(url: str | None, *, sha256: str | None = hashlib.sha256(CONTENT).hexdigest(), **licence: object) -> Card:
    source = Source(kind="checkpoint", url=url, sha256=sha256, page="https://example.org/zoo", note="by hand")
    terms = Licence(**{"name": "CC BY-NC 4.0", "commercial": False, "accept": False, **licence})
    return load_card("person-reid-demo").model_copy(update={"source": source, "licence": terms})


def left(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_what_was_fetched_is_whole_and_is_not_fetched_again(server: Served, tmp_path: Path) -> None:
    card = card_at(server.url)
    for _ in range(2):
        assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT
    assert server.asked == [None]
    assert left(tmp_path) == [NAME]


def test_a_transfer_that_breaks_off_is_gone_on_with(server: Served, tmp_path: Path) -> None:
    card, server.breaks_after = card_at(server.url), 300_000
    with pytest.raises(FetchError, match="broke off after 300000 of 700001 bytes; run it again"):
        fetch(card, tmp_path, progress=False)
    assert not cached_file(card, tmp_path).exists()
    with pytest.raises(FetchError, match="broke off after 600000 of 700001"):
        fetch(card, tmp_path, progress=False)
    assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=600000-"]
    assert left(tmp_path) == [NAME]


@pytest.mark.parametrize("change", [{"resumes": False}, {"version": '"2"'}])
def test_a_server_that_cannot_go_on_sends_all_again(server: Served, tmp_path: Path, change: dict[str, object]) -> None:
    card, server.breaks_after = card_at(server.url), 300_000
    with pytest.raises(FetchError, match="broke off"):
        fetch(card, tmp_path, progress=False)
    server.breaks_after = None
    vars(server).update(change)
    assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_started_over(server: Served, tmp_path: Path) -> None:
    card = card_at(server.url)
    file = cached_file(card, tmp_path)
    file.parent.mkdir()
    file.with_name(file.name + ".part").write_bytes(b"x" * 800_000)
    assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT
    assert server.asked == ["bytes=800000-", None]


def test_another_file_than_the_pinned_one_is_refused_and_removed(server: Served, tmp_path: Path) -> None:
    server.content = CONTENT[:-1] + b"!"
    with pytest.raises(FetchError, match=r"expected SHA-256 [0-9a-f]{64}, .*person-reid-demo says; found [0-9a-f]{64}"):
        fetch(card_at(server.url), tmp_path, progress=False)
    assert left(tmp_path) == []


def test_a_cached_file_that_has_changed_is_refused(server: Served, tmp_path: Path) -> None:
    card = card_at(server.url)
    fetch(card, tmp_path, progress=False).write_bytes(CONTENT[:1000])
    with pytest.raises(FetchError, match="Remove it to fetch it again"):
        fetch(card, tmp_path, progress=False)


def test_a_web_page_is_no_model(server: Served, tmp_path: Path) -> None:
    server.content = b"\n<!DOCTYPE html><html>Please log in</html>"
    with pytest.raises(FetchError, match=r"found a web page; get it by hand from https://example\.org/zoo"):
        fetch(card_at(server.url, sha256=None), tmp_path, progress=False)
    assert left(tmp_path) == []


def test_the_licence_has_to_be_accepted_before_anything_is_asked(server: Served, tmp_path: Path) -> None:
    card = card_at(server.url, accept=True)
    with pytest.raises(
        LicenceNotAccepted, match=r"CC BY-NC 4\.0, which does not allow commercial use.*--accept-licence"
    ):
        fetch(card, tmp_path, progress=False)
    assert server.asked == []
    assert fetch(card, tmp_path, accept_licence=True, progress=False).read_bytes() == CONTENT
    assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT  # a file that is there needs no word


def test_without_network_the_message_says_what_to_put_where(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        card = card_at(f"http://127.0.0.1:{unused.getsockname()[1]}/{NAME.replace(' ', '%20')}")
        with pytest.raises(FetchError, match="refused") as caught:
            fetch(card, tmp_path, progress=False)
    for part in (str(cached_file(card, tmp_path)), str(card.source.sha256), "https://example.org/zoo", "--file"):
        assert part in str(caught.value)
    cached_file(card, tmp_path).write_bytes(CONTENT)
    assert fetch(card, tmp_path, progress=False).read_bytes() == CONTENT


def test_a_card_without_an_address_says_how_to_get_the_file(tmp_path: Path) -> None:
    card = card_at(None)
    with pytest.raises(FetchError, match=r"no address to fetch from: by hand\. .* put it at "):
        fetch(card, tmp_path, progress=False)


def test_what_the_server_answers_is_told(server: Served, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(FetchError, match="the server answers 404 Not Found"):
        fetch(card_at(server.url), tmp_path, progress=False)


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 256 KiB: what a full disk does, without filling one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 18, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_fills_leaves_nothing_behind(server: Served, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be written: File too large"):
        fetch(card_at(server.url), tmp_path, progress=False)
    assert left(tmp_path) == []


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(server: Served, tmp_path: Path) -> None:
    class Huge(bytes):
        def __len__(self) -> int:
            return 1 << 60

        def __getitem__(self, key: object) -> Huge:
            return self

    server.content = Huge(b"x")
    with pytest.raises(FetchError, match=r"1152921504606846976 more bytes are to be written, only \d+ are free"):
        fetch(card_at(server.url), tmp_path, progress=False)
    assert left(tmp_path) == []

"""Gets a card's published file: resumed where it broke off, held against its SHA-256, kept in a cache folder.

A file has its own name only once it is whole and proven; until then it is ``NAME.part``, with which the next call
goes on.
"""

from __future__ import annotations

import http.client
import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlparse

from tqdm import tqdm

from model_builder.cards import Card
from model_builder.files import PART, sha256_of
from savant_reid.errors import SavantReidError

CHUNK = 1 << 18
TIMEOUT_S = 60.0
TAG = ".etag"  # beside a .part: which version of the file it is a part of
RANGE_NOT_SATISFIABLE, PARTIAL_CONTENT = 416, 206


class FetchError(SavantReidError):
    """A published file cannot be had, or is not the one that its card names."""


class LicenceNotAccepted(FetchError):
    """The weights' licence needs the user's word, which was not given."""


def default_cache() -> Path:
    """$SAVANT_REID_CACHE, or savant-reid/models in the user's cache folder."""
    own = os.environ.get("SAVANT_REID_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "savant-reid/models"


def cached_file(card: Card, cache: Path) -> Path:
    """Where the published file of `card` lies, or is to be put by hand."""
    given = card.source.file_name
    name = given or Path(unquote(urlparse(card.source.url or "").path)).name or f"{card.name}.pth"
    return cache / card.name / name


def fetch(card: Card, cache: Path, *, accept_licence: bool = False, progress: bool = True) -> Path:
    """The published file of `card`, from the cache or else from its address.

    Raises LicenceNotAccepted, and FetchError where there is no network, the transfer breaks, the disk is full or the
    file is another one. What was transferred before a break is kept and gone on with; nothing else is left behind.
    """
    file = cached_file(card, cache)
    if file.is_file():
        check_digest(card, file)
        return file
    if card.source.url is None:
        raise FetchError(f"{card.name}: no address to fetch from: {card.source.note}. {_by_hand(card, file)}")
    if card.licence.accept and not accept_licence:
        raise LicenceNotAccepted(_licence_text(card))
    part = file.with_name(file.name + PART)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _transfer(card, file, part, progress)
    except urllib.error.HTTPError as error:
        text = f"{card.source.url}: the server answers {error.code} {error.reason}"
        raise FetchError(f"{text}. {_by_hand(card, file)}") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"{card.source.url}: {reason}. {_by_hand(card, file)}") from error
    except OSError as error:
        _discard(part)
        text = f"cannot be written: {error.strerror or error}; the part that was there has been removed"
        raise FetchError(f"{file}: {text}") from error
    _check_content(card, part)
    os.replace(part, file)
    _discard(part)
    return file


def check_digest(card: Card, file: Path) -> str:
    """The file's SHA-256. Raises FetchError where the card pins another one."""
    found = sha256_of(file)
    if card.source.sha256 not in (None, found):
        text = f"expected SHA-256 {card.source.sha256}, as the card of {card.name} says; found {found}"
        raise FetchError(f"{file}: {text}. Is it another model, or a broken transfer? Remove it to fetch it again")
    return found


def _transfer(card: Card, file: Path, part: Path, progress: bool) -> None:
    """Fills `part` to its end, going on after what is there already."""
    tag = part.with_name(part.name + TAG)
    start = part.stat().st_size if part.is_file() else 0
    try:
        response = urllib.request.urlopen(_request(card, start, tag), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != RANGE_NOT_SATISFIABLE or start == 0:
            raise
        # The part is as long as the file, or longer: one that broke off at the very end, or of another file.
        _discard(part)
        start, response = 0, urllib.request.urlopen(_request(card, 0, tag), timeout=TIMEOUT_S)
    with response:
        # A server that cannot go on in the middle, or has another version by now, sends all of it again.
        start = start if _goes_on(response, start) else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        _check_space(file, part, total, start)
        tag.write_text(response.headers.get("ETag", ""))
        with part.open("ab" if start else "wb") as stream:
            received = start + _copy(response, stream, card.name, start, total, progress)
    if total is not None and received < total:
        text = f"the transfer broke off after {received} of {total} bytes; run it again and it goes on from there"
        raise FetchError(f"{card.source.url}: {text}")


def _goes_on(response: http.client.HTTPResponse, start: int) -> bool:
    return response.status == PARTIAL_CONTENT and response.headers.get("Content-Range", "").startswith(
        f"bytes {start}-"
    )


def _request(card: Card, start: int, tag: Path) -> urllib.request.Request:
    headers = {"User-Agent": "savant-reid-model-builder", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag.is_file() and (version := tag.read_text().strip()) and not version.startswith("W/"):
            headers["If-Range"] = version
    return urllib.request.Request(str(card.source.url), headers=headers)


def _copy(
    response: http.client.HTTPResponse, stream: BinaryIO, name: str, start: int, total: int | None, progress: bool
) -> int:
    copied = 0
    options = {"unit": "B", "unit_scale": True, "unit_divisor": 1024, "desc": name}
    with tqdm(total=total, initial=start, disable=not progress, **options) as bar:
        while chunk := response.read(CHUNK):
            stream.write(chunk)
            copied += len(chunk)
            bar.update(len(chunk))
    return copied


def _check_space(file: Path, part: Path, total: int | None, start: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - start > free:
        _discard(part)
        raise FetchError(f"{file}: {total - start} more bytes are to be written, only {free} are free on that disk")


def _check_content(card: Card, part: Path) -> None:
    """Raises FetchError, and removes the part, where it is no model or another one."""
    with part.open("rb") as stream:
        head = stream.read(512).lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        _discard(part)
        hint = "it wants a login or a click" if card.source.page is None else f"get it by hand from {card.source.page}"
        raise FetchError(f"{card.source.url}: expected a model, found a web page; {hint}")
    found = sha256_of(part)
    if card.source.sha256 not in (None, found):
        _discard(part)
        text = f"expected SHA-256 {card.source.sha256}, as the card of {card.name} says; found {found}"
        raise FetchError(f"{card.source.url}: {text}. The file has been removed")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    part.with_name(part.name + TAG).unlink(missing_ok=True)


def _by_hand(card: Card, file: Path) -> str:
    pinned = f", SHA-256 {card.source.sha256}" if card.source.sha256 else ""
    origin = card.source.page or card.source.url or "its authors"
    return f"To do without, get the file elsewhere (from {origin}{pinned}) and put it at {file}, or name it with --file"


def _licence_text(card: Card) -> str:
    use = {True: "allows commercial use", False: "does not allow commercial use", None: "is silent on commercial use"}
    note = f" ({card.licence.note})" if card.licence.note else ""
    text = f"{card.name}: its weights are under {card.licence.name}, which {use[card.licence.commercial]}{note}"
    return f"{text}. Read it at {card.source.page or card.source.url}, then say --accept-licence"

"""The table of `list`: one line per card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from model_builder.cards import Card
from model_builder.files import sha256_of
from model_builder.report import REPORT, read_report
from savant_reid.errors import ModelError

HEADER = ("model", "task", "input", "dim", "licence", "commercial", "rank-1/mAP or AP", "on", "CPU ms", "file")
COMMERCIAL = {True: "yes", False: "no", None: "unclear"}
TASKS = {True: "detector", False: "re-id"}


def table(cards: Iterable[Card], models: Path) -> str:
    """Plain text, columns lined up."""
    rows = [HEADER, *(_row(card, models) for card in cards)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _row(card: Card, models: Path) -> Sequence[str]:
    height, width = card.input.size
    accuracy, dataset = _accuracy(card)
    commercial = COMMERCIAL[card.licence.commercial]
    if card.licence.commercial and card.licence.note:
        commercial += ", on terms"
    return (
        card.name,
        TASKS[card.is_detector],
        f"{height}x{width} {card.input.color_format}",
        str(card.embedding_dimension or "-"),
        card.licence.name,
        commercial,
        accuracy,
        dataset,
        "-" if card.speed is None else f"{card.speed.milliseconds:.1f}",
        state(card, models),
    )


def _accuracy(card: Card) -> tuple[str, str]:
    """The first figure, which is that of the checkpoint that the card names; or what was measured here."""
    if card.figures:
        first = card.figures[0]
        elsewhere = first.trained_on is not None and first.trained_on.split()[0] != first.dataset.split()[0]
        where = f"{first.dataset}, trained on {first.trained_on}" if elsewhere else first.dataset
        return f"{'' if first.rank1 is None else f'{first.rank1}/'}{first.map}", where
    measured = card.evaluation or {}
    if "rank1" in measured:
        return f"{100 * measured['rank1']:.1f}/{100 * measured['map']:.1f}", str(measured.get("on", ""))
    return (f"AP50 {100 * measured['ap50']:.1f}", str(measured.get("on", ""))) if "ap50" in measured else ("-", "-")


def state(card: Card, models: Path) -> str:
    """Of the model's file: absent, built, verified, changed since, failed, or part of the project."""
    file = card.built_file(models)
    if not file.is_file():
        return "not built"
    try:
        entry = (
            read_report(file.with_name(REPORT))["files"].get(file.name) if file.with_name(REPORT).is_file() else None
        )
    except ModelError:
        return "report broken"
    digest = sha256_of(file)
    if entry is None:
        return "not verified" if card.file.sha256 is None else "shipped" if digest == card.file.sha256 else "changed"
    if entry.get("sha256") != digest:
        return "changed"
    return "verified" if entry.get("passed") is True else "failed"

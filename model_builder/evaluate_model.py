"""``python -m model_builder evaluate-model``: an embedder's figures on a folder of labelled pictures. No PyTorch."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from model_builder import data
from model_builder.cards import MODELS, Color, read_card
from model_builder.identification import ClosedSet, OpenSet, closed_set, open_set, search
from model_builder.market_folder import (
    DISTRACTOR,
    JUNK,
    Pictures,
    check_new_folder,
    read_folder,
    read_picture,
    write_folder,
)
from model_builder.onnx_embedder import BATCH, OnnxEmbedder, find_model
from savant_reid.command_errors import plain_errors
from savant_reid.errors import DataError

RATES = (0.1, 0.01)


@click.command("evaluate-model")
@click.argument("model", metavar="MODEL.onnx|NAME")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--models", type=click.Path(path_type=Path), default=MODELS, help="The folder of the cards.")
@click.option("--card", type=click.Path(path_type=Path), help="How the model is fed [default: card.yml beside it].")
@click.option("--colour", type=click.Choice(["rgb", "bgr"]), default="rgb", show_default=True, help="Without a card.")
@click.option(
    "--fpir", "rates", type=click.FloatRange(0, 1, max_open=True), multiple=True, default=RATES, show_default=True
)
@click.option("--batch", type=click.IntRange(1), default=BATCH, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def evaluate_model_command(
    model: str,
    folder: Path,
    models: Path,
    card: Path | None,
    colour: Color,
    rates: tuple[float, ...],
    batch: int,
    threads: int,
    as_json: bool,
) -> None:
    """Rank-1, mAP, mINP and FNIR at FPIR on FOLDER (Market-1501's layout: query, bounding_box_test)."""
    with plain_errors():
        file, beside = find_model(model, models)
        # The folder first: a wrong one is told before a large model is loaded.
        queries, gallery = read_folder(folder)
        embedder = OnnxEmbedder(file, read_card(card) if card else beside, colour, batch, threads)
        figures = evaluate_folder(embedder, queries, gallery, rates, progress=not as_json)
    click.echo(json.dumps(figures) if as_json else as_table(figures))


def evaluate_folder(
    embedder: OnnxEmbedder,
    queries: Pictures,
    gallery: Pictures,
    rates: tuple[float, ...] = RATES,
    progress: bool = True,
) -> dict[str, Any]:
    """The figures as a flat mapping; DataError where no query has an answer in the gallery."""
    asks, answers = set(queries.people.tolist()), set(gallery.people.tolist())
    if not asks & answers:
        raise DataError("expected people of query in bounding_box_test too, found none: no query has an answer")
    if any(not answers - {JUNK, person} for person in asks):
        raise DataError("expected at least two people in bounding_box_test, found one: nobody can be mistaken")
    started = time.perf_counter()
    asking = embedded(embedder, queries, "queries", progress)
    asked = embedded(embedder, gallery, "gallery", progress)
    seconds = time.perf_counter() - started
    searches = search(asking, queries.people, queries.cameras, asked, gallery.people, gallery.cameras)
    closed = closed_set(searches)
    if not closed.queries:
        raise DataError(
            "expected pictures of the queries' people in other cameras, found them in the queries' own cameras only: "
            "no query has an answer"
        )
    return _figures(closed, open_set(searches, rates), queries, gallery) | {
        "milliseconds_per_picture": round(seconds / (len(queries) + len(gallery)) * 1e3, 2)
    }


def embedded(embedder: OnnxEmbedder, pictures: Pictures, title: str, progress: bool) -> np.ndarray:
    """(n, D) float32 of length one; a bar on standard error where that is a terminal."""
    from tqdm import tqdm

    parts = [np.empty((0, embedder.dimension), np.float32)]
    with tqdm(total=len(pictures), desc=title, unit="picture", disable=None if progress else True) as bar:
        for part in embedder.embed(map(read_picture, pictures.files)):
            parts.append(part)
            bar.update(len(part))
    return np.concatenate(parts)


def _figures(closed: ClosedSet, rows: list[OpenSet], queries: Pictures, gallery: Pictures) -> dict[str, Any]:
    return {
        "rank1": round(closed.rank1, 4),
        "map": round(closed.mean_average_precision, 4),
        "minp": round(closed.mean_inverse_negative_penalty, 4),
        "open_set": [{name: round(value, 4) for name, value in asdict(row).items()} for row in rows],
        "queries": closed.queries,
        "queries_without_answer": closed.unanswered,
        "gallery": int((gallery.people > DISTRACTOR).sum()),
        "distractors": int((gallery.people == DISTRACTOR).sum()),
        "junk": int((gallery.people == JUNK).sum()),
        "people": len(np.unique(queries.people)),
        "cameras": len(np.unique(np.concatenate((queries.cameras, gallery.cameras)))),
    }


def as_table(figures: dict[str, Any]) -> str:
    """For people; the JSON has the same figures."""
    lines = [
        f"rank-1 {figures['rank1']:.1%}  mAP {figures['map']:.1%}  mINP {figures['minp']:.1%}",
        *(
            f"FNIR {row['fnir']:.1%} at FPIR {row['fpir']:.2%} (asked {row['asked_fpir']:.2%}, "
            f"cosine {row['threshold']:.3f})"
            for row in figures["open_set"]
        ),
        f"{figures['queries']} queries of {figures['people']} people in {figures['cameras']} cameras, gallery of "
        f"{figures['gallery']} pictures, {figures['distractors']} distractors and {figures['junk']} junk ones",
        f"{figures['milliseconds_per_picture']} ms a picture, reading included",
    ]
    if figures["queries_without_answer"]:
        lines.append(f"left out of the first line: {figures['queries_without_answer']} queries without an answer")
    return "\n".join(lines)


@click.command("market-folder")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--people", type=click.IntRange(2), default=100, show_default=True)
@click.option("--views", type=click.IntRange(4), default=10, show_default=True, help="Of each person, two a camera.")
@click.option("--distractors", type=click.IntRange(0), default=100, show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/model_builder"), show_default=True)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True)
def market_folder_command(folder: Path, people: int, views: int, distractors: int, cache: Path, workers: int) -> None:
    """Writes unseen people of the simulated site to FOLDER, in Market-1501's layout."""
    with plain_errors():
        check_new_folder(folder)
        crops = data.crop_set(cache, data.EVALUATION_SEED, people, views, workers)
        others = -(-distractors // views)
        # Seeds of the two sets never meet: a set takes one seed for each 48 people.
        strangers = data.crop_set(cache, data.EVALUATION_SEED + 500_000, others, views, workers) if others else None
        write_folder(crops, folder, strangers.crops[:distractors] if strangers else None)
    click.echo(f"{len(crops)} pictures of {people} people and {distractors} distractors in {folder}", err=True)

"""``python -m model_builder list | fetch | build | verify NAME``, and ``train | evaluate detector|embedder``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from model_builder import data
from model_builder.adapt_command import adapt_command
from model_builder.camera_command import build_cameras_command
from model_builder.commands import COMMANDS
from model_builder.demo_cards import metadata_of, model_file, write_card
from model_builder.evaluate_model import evaluate_model_command, market_folder_command
from model_builder.quantise_command import quantise_command
from model_builder.timing import time_command

CACHE = Path("runs/model_builder")
# (frames to train on, to evaluate on), (people, views each), (unseen people, views each)
FRAMES, QUICK_FRAMES = (11000, 500), (500, 100)
PEOPLE, QUICK_PEOPLE = ((1600, 30), (200, 10)), ((100, 10), (50, 10))

cache_option = click.option(
    "--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True, help="Where generated sets are kept."
)
workers_option = click.option("--workers", default=os.cpu_count(), show_default=True, help="Processes that generate.")


@click.group()
def main() -> None:
    """Published models to files that the module runs; trains and evaluates the demo models."""


for command in COMMANDS:
    main.add_command(command)


@main.command()
@click.argument("kind", type=click.Choice(["detector", "embedder", "all"]))
@click.option("--out", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--quick", is_flag=True, help="Minutes instead of an hour; shows that all parts work, gives poor models.")
@click.option("--threads", default=os.cpu_count(), show_default=True, help="Of PyTorch; 1 where the cores are shared.")
@cache_option
@workers_option
def train(kind: str, out: Path, quick: bool, threads: int, cache: Path, workers: int) -> None:
    """Trains, exports, evaluates and writes the card."""
    import torch

    torch.set_num_threads(threads)
    jobs: dict[str, Callable[..., None]] = {"detector": _train_detector, "embedder": _train_embedder}
    for name in jobs if kind == "all" else (kind,):
        jobs[name](out, quick, cache, workers)
        figures = _figures(name, out, quick, cache, workers)
        write_card(out, name, figures)
        click.echo(json.dumps(figures))


@main.command()
@click.argument("kind", type=click.Choice(["detector", "embedder"]))
@click.option("--models", type=click.Path(path_type=Path, exists=True), default=Path("models"), show_default=True)
@cache_option
@workers_option
def evaluate(kind: str, models: Path, cache: Path, workers: int) -> None:
    """Prints one JSON object of figures, from the ONNX file on unseen seeds."""
    click.echo(json.dumps(_figures(kind, models, False, cache, workers)))


@main.command()
@click.argument("kind", type=click.Choice(["detector", "embedder", "all"]))
@click.option("--quick", is_flag=True)
@cache_option
@workers_option
def generate(kind: str, quick: bool, cache: Path, workers: int) -> None:
    """Fills the cache with the training and evaluation sets; `train` does it too where they lack."""
    if kind != "embedder":
        for seed, count in zip((data.TRAIN_SEED, data.EVALUATION_SEED), QUICK_FRAMES if quick else FRAMES, strict=True):
            data.frame_set(cache, seed, count, workers)
    if kind != "detector":
        for seed, sizes in zip((data.TRAIN_SEED, data.EVALUATION_SEED), QUICK_PEOPLE if quick else PEOPLE, strict=True):
            data.crop_set(cache, seed, *sizes, workers)


def _train_detector(out: Path, quick: bool, cache: Path, workers: int) -> None:
    # Imported here: evaluation needs no PyTorch.
    import torch

    from model_builder.export import export_onnx
    from model_builder.train_detector import EXPORT_HW, DetectorRecipe, train_detector

    frames = data.frame_set(cache, data.TRAIN_SEED, (QUICK_FRAMES if quick else FRAMES)[0], workers)
    recipe = DetectorRecipe()
    model = train_detector(frames, replace(recipe, epochs=2) if quick else recipe)
    example = torch.rand(1, 3, *EXPORT_HW)
    export_onnx(model, example, "output0", model_file(out, "detector"), metadata_of("detector"))


def _train_embedder(out: Path, quick: bool, cache: Path, workers: int) -> None:
    import torch

    from model_builder.export import export_onnx
    from model_builder.train_embedder import EmbedderRecipe, train_embedder

    crops = data.crop_set(cache, data.TRAIN_SEED, *(QUICK_PEOPLE if quick else PEOPLE)[0], workers)
    recipe = EmbedderRecipe()
    model = train_embedder(crops, replace(recipe, steps=100) if quick else recipe)
    example = torch.rand(1, 3, *data.CROP_SHAPE[:2]) * 255
    export_onnx(model, example, "embedding", model_file(out, "embedder"), metadata_of("embedder"))


def _figures(kind: str, models: Path, quick: bool, cache: Path, workers: int) -> dict[str, float]:
    from model_builder.evaluation import evaluate_detector, evaluate_embedder

    file = model_file(models, kind)
    if kind == "detector":
        frames = data.frame_set(cache, data.EVALUATION_SEED, (QUICK_FRAMES if quick else FRAMES)[1], workers)
        return evaluate_detector(file, frames)
    return evaluate_embedder(
        file, data.crop_set(cache, data.EVALUATION_SEED, *(QUICK_PEOPLE if quick else PEOPLE)[1], workers)
    )


main.add_command(evaluate_model_command)
main.add_command(market_folder_command)
main.add_command(adapt_command)
main.add_command(quantise_command)
main.add_command(build_cameras_command)
main.add_command(time_command)

if __name__ == "__main__":
    main()

"""`list`, `fetch`, `build` and `verify`: from a card to a file that the module may run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from model_builder.cards import CARD_FILE, MODELS, Card, load_card, load_cards
from model_builder.engine_runtime import EngineWish, build_engine_of, engine_runtime_of
from savant_reid.errors import ConfigError, ModelError, SavantReidError

PRECISIONS = ("fp32", "fp16")

models_option = click.option(
    "--models", type=click.Path(path_type=Path, file_okay=False), default=MODELS, help="The folder of the cards."
)
precision_option = click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)


@dataclass(frozen=True)
class Publication:
    """Where a published file comes from. file: in place of fetching it. cache: where fetched files are kept."""

    file: Path | None
    cache: Path | None
    accept_licence: bool

    def of(self, card: Card) -> Path:
        """The file that was named, or the one from the cache or the network; either has to have the card's SHA-256."""
        from model_builder.fetch import check_digest, default_cache, fetch

        if self.file is None:
            return fetch(card, self.cache or default_cache(), accept_licence=self.accept_licence)
        check_digest(card, self.file)
        return self.file


@dataclass(frozen=True)
class Extent:
    """What verify goes over. pictures: a folder, or None for made ones."""

    max_batch: int
    pictures: Path | None


def publication_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where the published file comes from: the command's argument `published`."""

    @click.option("--accept-licence", is_flag=True, help="You have read the weights' licence and accept it.")
    @click.option("--cache", type=click.Path(path_type=Path, file_okay=False), help="Where fetched files are kept.")
    @click.option(
        "--file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="The published file, in place of fetching it.",
    )
    @functools.wraps(command)
    def wrapped(*, file: Path | None, cache: Path | None, accept_licence: bool, **others: Any) -> Any:
        return command(published=Publication(file, cache, accept_licence), **others)

    return wrapped


def extent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What verify goes over: the command's argument `extent`."""

    @click.option(
        "--max-batch", type=click.IntRange(1, 256), default=8, show_default=True, help="Largest batch that is verified."
    )
    @click.option(
        "--pictures",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Compare on the pictures of this folder, with people in them, in place of made ones.",
    )
    @functools.wraps(command)
    def wrapped(*, max_batch: int, pictures: Path | None, **others: Any) -> Any:
        return command(extent=Extent(max_batch, pictures), **others)

    return wrapped


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What engine is wanted, if any: the command's argument `engine`."""
    text = "Also a TensorRT engine for batches up to this one, where there is TensorRT: the module's batch_size."

    @click.option("--engine-batch", type=click.IntRange(1, 1024), help=text)
    @click.option("--engine-precision", type=click.Choice(PRECISIONS), default="fp16", show_default=True)
    @functools.wraps(command)
    def wrapped(*, engine_batch: int | None, engine_precision: str, **others: Any) -> Any:
        return command(engine=EngineWish(engine_batch, engine_precision), **others)

    return wrapped


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """The errors that are meant for the user, as one line and not as a trace."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except SavantReidError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "onnxslim"):
                raise
            hint = "make .venv-builder/ready, then .venv-builder/bin/python -m model_builder"
            raise click.ClickException(f"{error.name} is not in this environment: {hint}") from error

    return wrapped


@click.command("list")
@models_option
@told
def list_models(models: Path) -> None:
    """Prints all models: licence, size, published accuracy, speed where measured, and whether it is built."""
    from model_builder.listing import table

    cards = list(load_cards(models))
    if not cards:
        raise ConfigError(f"--models {models}: expected folders with a {CARD_FILE} each, found none")
    click.echo(table(cards, models))


@click.command("fetch")
@click.argument("name")
@models_option
@publication_options
@told
def fetch_model(name: str, models: Path, published: Publication) -> None:
    """Gets the published file of a model and prints where it is, with its SHA-256."""
    from model_builder.files import sha256_of

    source = published.of(load_card(name, models))
    click.echo(f"{source}\nSHA-256 {sha256_of(source)}")


@click.command("build")
@click.argument("name")
@models_option
@precision_option
@extent_options
@engine_options
@publication_options
@told
def build_model(
    name: str, models: Path, precision: str, extent: Extent, engine: EngineWish, published: Publication
) -> None:
    """Fetches, exports to models/NAME, and verifies. The module does not run a file that failed."""
    card = load_card(name, models)
    from model_builder.build import build

    source = published.of(card)
    onnx_file = build(card, source, models, precision)  # type: ignore[arg-type]
    click.echo(onnx_file)
    build_engine_of(card, onnx_file, engine)
    _verify(card, source, models, precision, extent, engine)


@click.command("verify")
@click.argument("name")
@models_option
@precision_option
@extent_options
@engine_options
@publication_options
@told
def verify_model(
    name: str, models: Path, precision: str, extent: Extent, engine: EngineWish, published: Publication
) -> None:
    """Compares the built file with the published one again, and writes verify.json and verify.md beside it."""
    card = load_card(name, models)
    source = published.of(card)
    _verify(card, source, models, precision, extent, engine)


def _verify(card: Card, source: Path, models: Path, precision: str, extent: Extent, engine: EngineWish) -> None:
    from model_builder.build import network_of
    from model_builder.export import open_session
    from model_builder.files import sha256_of
    from model_builder.reference import by_graph, by_network, pictures_of
    from model_builder.report import TABLE, as_markdown, read_report, write_report
    from model_builder.verify import verify

    target = card.built_file(models, precision)
    if not target.is_file():
        raise ModelError(f"{target}: no such file; build it first: python -m model_builder build {card.name}")
    if card.source.kind == "onnx":
        reference = by_graph(card, open_session(source))
    else:
        reference = by_network(card, network_of(card, source))
    verification = verify(
        card,
        target,
        reference,
        precision=precision,
        # An engine takes no more than it was built for.
        max_batch=min(extent.max_batch, engine.batch or extent.max_batch),
        images=extent.pictures and pictures_of(extent.pictures, max(extent.max_batch, 2)),
        further=engine_runtime_of(card, target, engine),
        further_precision=engine.precision,
    )
    report = write_report(card, verification, {"file": source.name, "sha256": sha256_of(source)})
    click.echo(as_markdown(read_report(report)))
    if not verification.passed:
        raise ModelError(
            f"{target}: differs from what was published, see {report.with_name(TABLE)}; the module refuses it"
        )


COMMANDS = (list_models, fetch_model, build_model, verify_model)

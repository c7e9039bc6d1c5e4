"""``python -m model_builder time``: what each card's network costs on a CPU, all in one run, with random weights.

Random weights cost what trained ones cost: no layer here skips work for what it sees.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import onnxruntime
import yaml

from model_builder.cards import CARD_FILE, Card, Speed, load_card, load_cards
from model_builder.commands import models_option, told
from savant_reid.errors import ModelError, OutputError

BATCHES = (1, 8)
LEAST_RUNS, LEAST_SECONDS = 3, 2.0


@dataclass(frozen=True)
class Cost:
    """milliseconds: CPU time a picture, by batch (a detector's batch of 8 is not measured). megabytes: of the file."""

    card: Card
    milliseconds: dict[int, float]
    megabytes: float


@click.command("time")
@click.argument("names", nargs=-1)
@click.option("--onnx", "files", metavar="NAME=FILE", multiple=True, help="The file of a model published as a graph.")
@click.option("--save", is_flag=True, help="Write the figures into the cards, for `list`.")
@models_option
@told
def time_command(names: tuple[str, ...], files: tuple[str, ...], save: bool, models: Path) -> None:
    """CPU milliseconds a crop and a frame of each NAME [default: all cards], as a Markdown table."""
    cards = [load_card(name, models) for name in names] if names else list(load_cards(models))
    given = dict(_given(item, models) for item in files)
    costs = []
    for card in cards:
        with tempfile.TemporaryDirectory() as folder:
            file = _file_of(card, models, Path(folder), given.get(card.name))
            if file is None:
                click.echo(f"{card.name}: left out: published as a graph, and its file is not here (--onnx)", err=True)
                continue
            costs.append(Cost(card, _measured(card, file), file.stat().st_size / 1e6))
        click.echo(f"{card.name}: {costs[-1].milliseconds}", err=True)
        if save:
            _save(costs[-1], models)
    click.echo(as_table(costs))


def _given(item: str, models: Path) -> tuple[str, str]:
    """NAME=FILE, both of which there are."""
    name, separator, file = item.partition("=")
    if not separator:
        raise click.BadParameter(f"expected NAME=FILE, found {item!r}", param_hint="--onnx")
    load_card(name, models)
    _session(Path(file))
    return name, file


def _file_of(card: Card, models: Path, folder: Path, given: str | None) -> Path | None:
    """The given or shipped file, or one of random weights in ``folder``; None for a graph that is not here."""
    if given or card.source.kind != "checkpoint":
        file = Path(given) if given else card.built_file(models)
        return file if file.is_file() else None
    import torch

    from model_builder.build import network_of
    from model_builder.export import export

    torch.manual_seed(0)
    return export(network_of(card, None), card, folder / card.file.name)


def _measured(card: Card, file: Path) -> dict[int, float]:
    session = _session(file)
    batches = BATCHES if card.input.dynamic_batch and not card.is_detector else BATCHES[:1]
    return {batch: _least(session, card, batch) for batch in batches}


def _session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own exceptions have no common base.
        raise ModelError(f"{file}: expected an ONNX model, found {str(error).splitlines()[0]}") from error


def _least(session: onnxruntime.InferenceSession, card: Card, batch: int) -> float:
    """CPU milliseconds a picture of the quickest run: other work on the machine only ever adds."""
    if len(session.get_inputs()) != 1:
        raise ModelError(f"{card.name}: expected one input, found {len(session.get_inputs())}")
    item = session.get_inputs()[0]
    pictures = np.random.default_rng(0).random((batch, *card.input.shape[1:]), dtype=np.float32) * card.input.range[1]
    session.run(None, {item.name: pictures})
    seconds: list[float] = []
    while len(seconds) < LEAST_RUNS or sum(seconds) < LEAST_SECONDS:
        begin = time.process_time()
        session.run(None, {item.name: pictures})
        seconds.append(time.process_time() - begin)
    return round(min(seconds) / batch * 1e3, 2)


def as_table(costs: Sequence[Cost]) -> str:
    """Markdown: detectors by the frame, embedders by the crop."""
    lines = ["| model | input | file, MB | alone, ms | in batches of 8, ms each |", "|---|---|---|---|---|"]
    for cost in sorted(costs, key=lambda cost: (cost.card.is_detector, cost.milliseconds[1])):
        height, width = cost.card.input.size
        one, many = cost.milliseconds[1], cost.milliseconds.get(8)
        cells = (f"{cost.megabytes:.1f}", f"{one:.1f}", "-" if many is None else f"{many:.1f}")
        lines.append(f"| `{cost.card.name}` | {height}x{width} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _save(cost: Cost, models: Path) -> None:
    """Replaces the card's block ``speed``; the rest of the file stays as somebody wrote it."""
    batch = max(cost.milliseconds)
    speed = Speed(milliseconds=cost.milliseconds[batch], batch=batch, threads=1, on=_processor())
    path = models / cost.card.name / CARD_FILE
    text = re.sub(r"^speed:\n(?: .*\n)+", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    # Dumped, as the key `on` has to be quoted: alone it is a truth value in YAML.
    block = "".join(f"  {line}\n" for line in yaml.safe_dump(speed.model_dump(), sort_keys=False).splitlines())
    try:
        path.write_text(f"{text.rstrip()}\nspeed:\n{block}", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _processor() -> str:
    """The instructions that decide over the time, as far as the system tells them."""
    file = Path("/proc/cpuinfo")
    flags = set(file.read_text(encoding="utf-8").split()) if file.is_file() else set()
    found = [name for name in ("avx2", "avx512f", "avx512_vnni", "amx_tile") if name in flags]
    return f"x86-64 ({', '.join(found)})" if found else "CPU"

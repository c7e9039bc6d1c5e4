"""A card and its published file to the ONNX file of ``models/NAME``."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import onnxruntime
from torch import nn

from model_builder.architectures import create, keys
from model_builder.cards import Card
from model_builder.checkpoints import read_checkpoint
from model_builder.export import Precision, export, open_session
from model_builder.files import sha256_of, written_whole
from savant_reid.errors import ModelError


def network_of(card: Card, checkpoint: Path | None) -> nn.Module:
    """The card's network in eval mode, with the checkpoint's weights, or random ones where there is none.

    Raises ModelError where the checkpoint is not the architecture's, naming what is missing or left over.
    """
    if card.architecture.name is None:
        raise ModelError(f"{card.name}: its source is a graph ({card.source.kind}), not a network of weights")
    name, options = card.architecture.name, card.architecture.options
    module = create(name, **options)
    if checkpoint is not None:
        content = read_checkpoint(checkpoint)
        try:
            module.load_state_dict(keys(name, content, **options), strict=True)
        except ModelError as error:
            raise ModelError(f"{checkpoint}: not a checkpoint for the card {card.name}: {error}") from error
    return module.eval()


def build(card: Card, source: Path, models: Path, precision: Precision = "fp32") -> Path:
    """Writes the ONNX file of a card from its published file; whatever fails, no half-written file stays.

    Raises ModelError where `source` is not what the card says, OutputError where it cannot be written.
    """
    target = card.built_file(models, precision)
    if card.source.kind == "onnx":
        if precision != "fp32":
            raise ModelError(
                f"{card.name}: is published as a graph and taken as it is: expected fp32, found {precision}"
            )
        return _taken(card, source, target)
    metadata = {"name": card.name, "card_version": str(card.version), "licence": card.licence.name}
    return export(network_of(card, source), card, target, precision, metadata=metadata | _origin(source))


def check_graph(card: Card, file: Path) -> None:
    """Holds a published graph against its card: input, batch, one FP32 output. Raises ModelError."""
    session = open_session(file)
    _hold(card, file, "input", session.get_inputs(), (card.input.name, card.input.shape))
    _hold(card, file, "output", session.get_outputs(), (card.output.name, card.output.shape))


def _taken(card: Card, source: Path, target: Path) -> Path:
    check_graph(card, source)
    with written_whole(target) as part:
        shutil.copyfile(source, part)
    return target


def _hold(
    card: Card, file: Path, kind: str, found: list[onnxruntime.NodeArg], wanted: tuple[str, Sequence[int | str]]
) -> None:
    name, shape = wanted
    expected = f"one {kind} {name!r} of FP32 {list(shape)}, as the card of {card.name} says"
    told = ", ".join(f"{item.name!r} of {item.type} {item.shape}" for item in found)
    if len(found) != 1 or found[0].name != name or found[0].type != "tensor(float)":
        raise ModelError(f"{file}: expected {expected}; found {told}")
    sizes = found[0].shape
    if len(sizes) != len(shape) or not all(map(_fits, sizes, shape)):
        hint = ""
        if shape[0] == "batch" and isinstance(sizes[0], int):
            hint = ". Its batch is static: export it again with a dynamic first axis"
        raise ModelError(f"{file}: expected {expected}; found {told}{hint}")


def _fits(found: int | str | None, wanted: int | str) -> bool:
    """A named size fits any name; a number fits itself."""
    return not isinstance(found, int) if isinstance(wanted, str) else found == wanted


def _origin(source: Path) -> dict[str, str]:
    return {"source_sha256": sha256_of(source)}

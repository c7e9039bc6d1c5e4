"""Names in published checkpoints: unwrapped, renamed, and then all or nothing.

Every loader of the re-ID projects skips what does not fit (Torchreid and PersonViT print a line or nothing at all), so
that a checkpoint of another model gives random features without a word. Here a name or a shape that does not fit is an
error that names it; what may be left out is listed by each architecture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from savant_reid.errors import ModelError

WRAPPERS = ("state_dict", "model")
PARALLEL = "module."  # what DataParallel puts before every name
COUNTER = "num_batches_tracked"  # BatchNorm's, not used at test time and absent from checkpoints before PyTorch 0.4.1
SHOWN = 6


@dataclass(frozen=True)
class Published:
    """How an architecture's published checkpoints differ from the module's own names.

    ``drop``: names, or beginnings of names that end in a dot, that are only needed in training. ``rename``: published
    beginnings to ours.
    """

    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)

    def drops(self, name: str) -> bool:
        return any(name == entry or (entry.endswith(".") and name.startswith(entry)) for entry in self.drop)

    def renamed(self, name: str) -> str | None:
        """Our name; None for one that starts as ours does, where the published one is another."""
        for theirs, ours in self.rename.items():
            if name.startswith(theirs):
                return ours + name[len(theirs) :]
        return None if any(ours and name.startswith(ours) for ours in self.rename.values()) else name


class KeyMismatch(ModelError):
    """A checkpoint is not the architecture's: the names it lacks, those left over, and shapes that differ.

    ``missing`` and ``left_over`` are the checkpoint's own names where these are known, else the module's.
    """

    def __init__(self, name: str, missing: Iterable[str], left_over: Iterable[str], shapes: Iterable[str]) -> None:
        self.missing, self.left_over, self.shapes = sorted(missing), sorted(left_over), sorted(shapes)
        parts = (("missing", self.missing), ("left over", self.left_over), ("of another shape", self.shapes))
        text = "; ".join(f"{len(items)} {label}: {_some(items)}" for label, items in parts if items)
        super().__init__(f"the checkpoint is not one of {name}: {text}")


def _some(items: list[str]) -> str:
    rest = len(items) - SHOWN
    return ", ".join(items[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def unwrapped(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict inside what ``torch.load`` gave: without ``state_dict`` or ``model`` around it, nor ``module.``.

    Raises ModelError where there are no tensors in it, naming what is there instead.
    """
    inner: Any = checkpoint
    while isinstance(inner, Mapping) and (wrapper := next((key for key in WRAPPERS if key in inner), None)):
        inner = inner[wrapper]
    if not isinstance(inner, Mapping) or not inner:
        raise ModelError(f"expected a state dict (names to tensors), found {type(inner).__name__}")
    strange = [str(key) for key, value in inner.items() if not isinstance(value, Tensor)]
    if strange:
        raise ModelError(f"expected a state dict (names to tensors); not tensors are: {_some(sorted(strange))}")
    if all(key.startswith(PARALLEL) for key in inner):
        return {key[len(PARALLEL) :]: value for key, value in inner.items()}
    return dict(inner)


def fitted(name: str, module: nn.Module, checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The checkpoint's tensors under ``module``'s names, ready for ``load_state_dict(strict=True)``.

    ``module`` may be on the meta device: only its names and shapes are used, and its ``published`` (a Published).
    Raises KeyMismatch.
    """
    published = getattr(module, "published", Published())
    wanted = module.state_dict()
    theirs = {key: value for key, value in unwrapped(checkpoint).items() if not published.drops(key)}
    names: dict[str | None, str] = {published.renamed(key): key for key in theirs}
    left_over = [key for ours, key in names.items() if ours not in wanted]
    left_over += [key for key in theirs if names[published.renamed(key)] != key]  # two names for one of ours
    missing = [ours for ours in wanted if ours not in names and not ours.endswith(COUNTER)]
    shapes = [
        f"{key} {tuple(theirs[key].shape)} instead of {tuple(wanted[ours].shape)}"
        for ours, key in names.items()
        if ours in wanted and theirs[key].shape != wanted[ours].shape
    ]
    if missing or left_over or shapes:
        raise KeyMismatch(name, missing, left_over, shapes)
    counters = {ours: torch.zeros((), dtype=torch.long) for ours in wanted if ours.endswith(COUNTER)}
    return counters | {ours: theirs[key] for ours, key in names.items() if ours is not None}

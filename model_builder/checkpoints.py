"""Published checkpoints, read without running anything that is in them.

A checkpoint is a pickle, and a pickle is a program. PyTorch's restricted reader runs none of it but builds tensors;
what else a checkpoint names is refused. Checkpoints that hold a whole module (YOLOv8's) name the classes of their
layers: these are read as empty shells, whose tensors are all that is taken. No class is imported by its name.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from savant_reid.errors import ModelError

# Modules whose classes may be read as shells: layers, their settings, and the plain values that training leaves behind.
SHELLS = ("ultralytics.", "torch.nn.modules.", "torch.nn.parallel.", "numpy.")
WHOLE_MODULES = ("ema", "model")  # where a checkpoint keeps its modules, the better one first


class Shell:
    """Stands in for a class that a checkpoint names: it takes what it is given and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.__dict__.update(state)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU, floating-point tensors in float32; a module in it as its state dict.

    Raises ModelError where the file is absent, broken, no checkpoint, or would run code.
    """
    try:
        with _shells(_foreign(file)):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = ", ".join(_refused(file, str(error)))
        if not refused:
            raise ModelError(f"{file}: expected a PyTorch checkpoint: it cannot be read as one") from error
        text = f"refused: it is a program that would run more than loading weights: {refused}"
        raise ModelError(f"{file}: {text}. Take a checkpoint of plain weights from a source that you trust") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        known = {FileNotFoundError: "no such file", EOFError: "the file ends too early"}
        reason = known.get(type(error)) or next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(f"{file}: expected a PyTorch checkpoint: {reason}") from error
    if isinstance(content, Shell):
        content = {"model": content}
    if not isinstance(content, Mapping):
        raise ModelError(f"{file}: expected a checkpoint that holds names and tensors, found {type(content).__name__}")
    return _plain(content)


def _plain(content: Mapping[Any, Any]) -> dict[str, Any]:
    for key in WHOLE_MODULES:
        if isinstance(content.get(key), Shell):
            return dict(_tensors(content[key], ""))
    return {
        str(key): _plain(value) if isinstance(value, Mapping) else _single(value)
        for key, value in content.items()
        if isinstance(value, Mapping | Tensor)
    }


def _single(value: Tensor) -> Tensor:
    """Half-precision weights become what the network computes in."""
    return value.detach().float() if value.is_floating_point() else value.detach()


def _tensors(shell: Shell, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """The state dict of a module that was read as shells: parameters and lasting buffers, by their paths."""
    own = shell.__dict__
    fleeting = own.get("_non_persistent_buffers_set", ())
    for kind in ("_parameters", "_buffers"):
        for name, value in (own.get(kind) or {}).items():
            if isinstance(value, Tensor) and name not in fleeting:
                yield prefix + name, _single(value)
    for name, child in (own.get("_modules") or {}).items():
        if isinstance(child, Shell):
            yield from _tensors(child, f"{prefix}{name}.")


def _foreign(file: Path) -> list[str]:
    """Names in the pickle that PyTorch does not take by itself; found without running it."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # of many kinds on a file that is no zip archive; reading it says what is wrong
        return []


def _refused(file: Path, reader_says: str) -> list[str]:
    """What a refused checkpoint names; in the old format only the first such name is known, from the reader's words."""
    names = [name for name in _foreign(file) if not name.startswith(SHELLS)]
    return sorted(names) or re.findall(r"GLOBAL (\S+)", reader_says)[:1]


@contextmanager
def _shells(names: list[str]) -> Iterator[None]:
    stand_ins = [(type(name.rpartition(".")[2], (Shell,), {}), name) for name in names if name.startswith(SHELLS)]
    with torch.serialization.safe_globals(stand_ins):
        yield

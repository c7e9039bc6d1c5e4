"""Checkpoints as projects publish them, and as somebody could make them who means harm."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from savant_reid.errors import ModelError

torch = pytest.importorskip("torch")
from model_builder.checkpoints import read_checkpoint  # noqa: E402  (PyTorch first: see the line above)

pytestmark = pytest.mark.builder


def network() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.SiLU())


def test_a_state_dict_comes_back_as_it_was(tmp_path: Path) -> None:
    weights = network().state_dict()
    torch.save(OrderedDict(weights), tmp_path / "plain.pth")
    found = read_checkpoint(tmp_path / "plain.pth")
    assert list(found) == list(weights)
    assert all(torch.equal(found[name], weights[name]) for name in weights)


def test_what_training_leaves_behind_is_no_trouble(tmp_path: Path) -> None:
    content = {
        "model": network().half().state_dict(),
        "optimizer": {"state": {}},
        "epoch": 120,
        "rank1": np.float64(0.9),
        "scores": np.ones(3),
    }
    torch.save(content, tmp_path / "trained.pth")
    found = read_checkpoint(tmp_path / "trained.pth")["model"]
    assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}


def test_the_old_format_is_read_too(tmp_path: Path) -> None:
    torch.save(network().state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert len(read_checkpoint(tmp_path / "old.pth")) == 7


@pytest.fixture
def foreign_package() -> Iterator[types.ModuleType]:
    """A package that is there when the checkpoint is written, and not when it is read; made up here."""
    names = ("ultralytics", "ultralytics.nn", "ultralytics.nn.tasks")
    made = {name: types.ModuleType(name) for name in names}
    sys.modules.update(made)
    yield made[names[-1]]
    for name in names:
        sys.modules.pop(name, None)


def test_a_whole_module_is_read_without_its_classes(tmp_path: Path, foreign_package: types.ModuleType) -> None:
    class DetectionModel(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = network()
            self.register_buffer("strides", torch.tensor([8.0]), persistent=False)
            self.yaml = {"nc": 80}

        def __setstate__(self, state: dict) -> None:
            raise AssertionError("its code has been run")

    DetectionModel.__module__, DetectionModel.__qualname__ = foreign_package.__name__, "DetectionModel"
    foreign_package.DetectionModel = DetectionModel
    module = DetectionModel()
    torch.save({"model": module.half(), "ema": None, "train_args": {"imgsz": 640}}, tmp_path / "yolo.pt")
    for name in [name for name in sys.modules if name.startswith("ultralytics")]:
        del sys.modules[name]

    found = read_checkpoint(tmp_path / "yolo.pt")

    wanted = module.state_dict()
    assert set(found) == set(wanted)
    assert all(torch.equal(found[name], wanted[name].float()) for name in wanted if wanted[name].is_floating_point())
    assert not any(name.startswith("ultralytics") for name in sys.modules)


class Harmful:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


@pytest.mark.parametrize("new_format", [True, False])
def test_a_checkpoint_that_would_run_a_command_is_refused(tmp_path: Path, new_format: bool) -> None:
    mark = tmp_path / "it-ran"
    content = {"state_dict": network().state_dict(), "note": Harmful(f"touch '{mark}'")}
    file = tmp_path / "harmful.pth"
    torch.save(content, file, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ModelError, match=r"harmful\.pth: refused: it is a program .*posix\.system"):
        read_checkpoint(file)
    assert not mark.exists()
    torch.load(file, weights_only=False)
    assert mark.exists(), "the checkpoint of this test does no harm, so the test shows nothing"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize(("protocol", "text"), [(2, r"refused: .*posix\.system"), (4, "expected a PyTorch checkpoint")])
def test_a_bare_pickle_that_would_run_a_command_is_refused(tmp_path: Path, protocol: int, text: str) -> None:
    mark = tmp_path / "it-ran"
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Harmful(f"touch '{mark}'"), protocol))
    with pytest.raises(ModelError, match=rf"bare\.pth: {text}"):
        read_checkpoint(tmp_path / "bare.pth")
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 broken", bytes(1000), b"\x08\x07pytorch"])
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.pth: expected a PyTorch checkpoint: "):
        read_checkpoint(tmp_path / "broken.pth")


def test_a_truncated_checkpoint_and_an_absent_one_are_told(tmp_path: Path) -> None:
    file = tmp_path / "half.pth"
    torch.save(network().state_dict(), file)
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(ModelError, match=r"half\.pth: expected a PyTorch checkpoint"):
        read_checkpoint(file)
    with pytest.raises(ModelError, match="no such file"):
        read_checkpoint(tmp_path / "none.pth")


def test_a_list_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="expected a checkpoint that holds names and tensors, found list"):
        read_checkpoint(tmp_path / "list.pth")

"""What `make gpu-check` measures and prints, tried on the host; the figures themselves need a GPU."""

from __future__ import annotations

import re
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from savant_reid.bench import gpu_gather, search_check, search_gpu
from savant_reid.bench.search_gpu import Ceilings, Rig, search_figures
from savant_reid.bench.search_table import table
from savant_reid.hosts.deepstream.gather import HostMemory
from savant_reid.identity.search import ExactSearch
from savant_reid.identity.search.best import ArrayDevice
from savant_reid.identity.search.device import DeviceSearch


def test_figures_and_their_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_gpu, "CHANGED", 3)
    makers = {
        "gpu-half": partial(DeviceSearch, device=ArrayDevice(), half=True),
        "gpu": partial(DeviceSearch, device=ArrayDevice()),
        "faiss-gpu": ExactSearch,  # as where the device has no room
    }
    rig = Rig(makers, lambda: None, Ceilings(1e6, 1e6, 4e6))
    monkeypatch.setattr(Rig, "median_ms", lambda self, call: search_gpu.median_ms(self.synchronize, call, 1))
    figures = search_figures(rig, (200,), (1, 16))
    scans = [one for one in figures if "same_as_oracle" in one]
    assert len(scans) == 4
    assert all(one["same_as_oracle"] for one in scans)
    assert sorted(one["floor"] for one in scans) == pytest.approx([0.2048, 0.4096, 0.8192, 3.2768])
    note = {"what": "faiss-gpu, not measured", "value": 0, "unit": "for want of a GPU", "more": 7}
    lines = table([note, *figures]).splitlines()
    assert lines[0] == "- faiss-gpu, not measured: 0 for want of a GPU (more 7)"
    widths = {line.count("|") for line in lines[2:]}
    assert len(widths) == 1
    assert [line.split(" | ")[0] for line in lines[4:]] == ["| gpu", "| gpu-half"]
    assert all(line.endswith("| yes |") for line in lines[4:])
    assert "(0.41) " in lines[4]  # the floor of one probe


def test_the_floor_is_the_larger_of_reading_and_multiplying() -> None:
    ceilings = Ceilings(bytes_per_ms=512.0, operations_per_ms=1024.0, half_operations_per_ms=4096.0)
    assert ceilings.floor_ms(10, 1, half=False) == 40.0
    assert ceilings.floor_ms(10, 1, half=True) == 20.0
    assert ceilings.floor_ms(10, 64, half=False) == 640.0
    assert ceilings.floor_ms(10, 64, half=True) == 160.0


def test_gathering_is_measured_with_the_right_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_gather, "SIZES", ((3, 20),))
    (figure,) = gpu_gather.gather_figures(np, HostMemory(), lambda: None)
    assert figure["what"] == "gather, 60 embeddings of 512 from 2 inferences"
    assert figure["same_values"] is True
    assert figure["device_copies"] in (1, 2)  # two buffers, which may happen to be neighbours
    assert figure["reads_back_from_the_device"] == 1


def test_without_a_gpu_it_says_so_and_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(search_check, "_DEVICE_FILES", ())
    result = CliRunner().invoke(search_check.main)
    assert result.exit_code == 0
    assert "no NVIDIA GPU here, so nothing was checked" in result.output


def test_a_gpu_that_cannot_be_used_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setattr(search_check, "_DEVICE_FILES", ("/dev/null",))
    result = CliRunner().invoke(search_check.main)
    assert result.exit_code == 1
    assert "pip install 'cupy-cuda12x[ctk]'" in result.output


def test_the_report_names_date_device_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = {"what": "gather", "value": 0.5, "unit": "ms"}
    monkeypatch.setattr(gpu_gather, "gpu_figures", lambda: [gathered])
    monkeypatch.setattr(search_gpu, "gpu_figures", lambda quick: [{"what": f"{quick}", "value": 1234, "unit": "GB/s"}])
    runtime = SimpleNamespace(
        getDeviceProperties=lambda device: {"name": f"Device {device}".encode()},
        runtimeGetVersion=lambda: 12020,
        driverGetVersion=lambda: 13000,
    )
    cupy = SimpleNamespace(__version__="13.9", cuda=SimpleNamespace(runtime=runtime))
    lines = search_check.report(cupy, True).splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d, Device 0, CUDA 12.2 \(driver: 13.0\), CuPy 13.9, NumPy ", lines[0])
    assert lines[2:4] == ["- gather: 0.5 ms", "- True: 1,234 GB/s"]

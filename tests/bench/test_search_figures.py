"""The measurements of the search say what they measured."""

from __future__ import annotations

import pytest

from savant_reid.bench.search import measure


@pytest.mark.slow
def test_quick_figures_on_one_core() -> None:
    scan, topology = measure(quick=True)
    assert scan["same_top1"] is True
    assert scan["value"] > 0.5 * scan["floor"] > 0
    assert topology["same_result"] is True
    assert topology["value"] < topology["target"] == 0.2


@pytest.mark.gpu
def test_quick_figures_on_a_gpu() -> None:
    cupy = pytest.importorskip("cupy", reason="cupy is not installed")
    if not cupy.cuda.is_available():
        pytest.skip("no NVIDIA GPU here")
    assert {figure["unit"] for figure in measure(quick=True, gpu=True)} >= {"ms", "TFLOP/s"}

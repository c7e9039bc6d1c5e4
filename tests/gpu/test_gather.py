"""Embeddings gathered from a GPU's memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from savant_reid.bench.gpu_gather import Counted, Outputs
from savant_reid.hosts.deepstream.gather import CudaMemory, Gatherer

pytestmark = pytest.mark.gpu


@pytest.fixture
def device(cupy: Any) -> Counted:  # noqa: ARG001 (skips where there is no GPU)
    return Counted(CudaMemory())


def test_each_object_gets_its_own_in_one_copy_back(cupy: Any, device: Counted) -> None:
    outputs, gatherer = Outputs(cupy, 8, 15), Gatherer(device, "person_reid")
    found = gatherer(outputs.arrays)
    np.testing.assert_array_equal(found.embeddings[found.embedding_of], outputs.expected)
    assert gatherer.copies <= len(outputs.buffers)
    assert device.copies_back == 1


def test_scattered_objects_and_those_without(cupy: Any, device: Counted) -> None:
    outputs = Outputs(cupy, 4, 20)
    chosen = np.random.default_rng(1).permutation(len(outputs.arrays))
    tensors = outputs.arrays.tensors[chosen]
    tensors[::3] = 0
    found = Gatherer(device, "person_reid")(replace(outputs.arrays, tensors=tensors))
    have = found.embedding_of >= 0
    assert (have == (tensors != 0)).all()
    np.testing.assert_array_equal(found.embeddings[found.embedding_of[have]], outputs.expected[chosen[have]])


def test_what_was_gathered_outlives_the_buffers(cupy: Any, device: Counted) -> None:
    outputs, gatherer = Outputs(cupy, 2, 20), Gatherer(device, "person_reid")
    found = gatherer(outputs.arrays)
    for buffer in outputs.buffers:
        buffer[:] = np.nan
    cupy.cuda.Device().synchronize()
    assert np.isnan(gatherer(outputs.arrays).embeddings).all()
    np.testing.assert_array_equal(found.embeddings[found.embedding_of], outputs.expected)

"""What it costs to gather a batch's embeddings from where a model left them on an NVIDIA GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.bench.host import DIMENSION, INFERENCE, batch_of
from savant_reid.bench.search_gpu import Figure, median_ms
from savant_reid.hosts.deepstream.arrays import BatchArrays
from savant_reid.hosts.deepstream.gather import CudaMemory, Device, Gatherer
from savant_reid.hosts.deepstream.pyds_batch import read_batch
from savant_reid.testing.deepstream_memory import REID, pyds

# Cameras and people in each who are due at once: a second of a small site, and of the largest.
SIZES = ((8, 4), (80, 3))


class Counted:
    """A Device that counts the copies to the host."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.reserve, self.copy = device.reserve, device.copy
        self.copies_back = 0

    def fetch(self, array: Any) -> NDArray[np.float32]:
        self.copies_back += 1
        return self._device.fetch(array)


class Outputs:
    """A batch whose embeddings lie in buffers of the array module `xp`, as many in each as an inference takes.

    expected: (n, DIMENSION) float32, in the order of the objects.
    """

    def __init__(self, xp: Any, cameras: int, people: int) -> None:
        memory = batch_of(cameras, people)  # must live while it is read
        arrays = read_batch(pyds, memory.batch, REID)
        self.expected: NDArray[np.float32] = np.random.default_rng(0).standard_normal(
            (len(arrays), DIMENSION), np.float32
        )
        starts = range(0, len(arrays), INFERENCE)
        self.buffers = [xp.asarray(self.expected[at : at + INFERENCE].copy()) for at in starts]
        tensors = [address_of(buffer) + buffer[0].nbytes * i for buffer in self.buffers for i in range(len(buffer))]
        self.arrays: BatchArrays = replace(arrays, tensors=np.array(tensors, np.uint64))


def address_of(array: Any) -> int:
    """Where an array of NumPy or of CuPy begins."""
    return int(array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr)


def gpu_figures() -> list[Figure]:
    """On the first GPU. Raises what CuPy raises without one."""
    import cupy

    return gather_figures(cupy, CudaMemory(), cupy.cuda.Device().synchronize)


def gather_figures(xp: Any, memory: Device, synchronize: Callable[[], object]) -> list[Figure]:
    """A figure for each of SIZES."""
    figures: list[Figure] = []
    for cameras, people in SIZES:
        outputs, device = Outputs(xp, cameras, people), Counted(memory)
        objects, inferences = len(outputs.arrays), len(outputs.buffers)
        gatherer = Gatherer(device, "person_reid")
        found = gatherer(outputs.arrays)
        copies = gatherer.copies, device.copies_back
        right = bool((found.embeddings[found.embedding_of] == outputs.expected).all())
        figures.append(
            {
                "what": f"gather, {objects} embeddings of {DIMENSION} from {inferences} inferences",
                "value": median_ms(synchronize, partial(gatherer, outputs.arrays)),
                "unit": "ms",
                "device_copies": copies[0],
                "reads_back_from_the_device": copies[1],
                "same_values": right,
            }
        )
    return figures

"""Embeddings out of nvinfer's output buffers: one copy for each run of neighbours, one read-back for each batch."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import ModelError
from savant_reid.hosts.deepstream.arrays import BatchArrays, OutputLayer
from savant_reid.hosts.deepstream.frames import Embedded
from savant_reid.hosts.deepstream.layout import DATA_TYPES, FLOAT

# Embeddings for which there is room at the start; a batch of 80 cameras hardly ever has more that are due.
ROOM = 256
_FLOAT_BYTES = 4


class Device(Protocol):
    """Where nvinfer's buffers lie."""

    def reserve(self, rows: int, dimension: int) -> Any:
        """An array (rows, dimension) of float32 there."""

    def copy(self, target: Any, address: int) -> None:
        """Fill a contiguous part of a reserved array from an address there; may return before it is done."""

    def fetch(self, array: Any) -> NDArray[np.float32]:
        """The values on the host, when all copies are done; the caller's own."""


class HostMemory:
    """This process's memory in the place of a device's, to try what follows without one."""

    def reserve(self, rows: int, dimension: int) -> NDArray[np.float32]:
        return np.empty((rows, dimension), np.float32)

    def copy(self, target: NDArray[np.float32], address: int) -> None:
        ctypes.memmove(target.ctypes.data, address, target.nbytes)

    def fetch(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        copy: NDArray[np.float32] = array.copy()
        return copy


class CudaMemory:
    """An NVIDIA GPU through CuPy, on a stream of our own. Not yet run on a GPU."""

    def __init__(self) -> None:
        import cupy
        import cupyx

        self._cuda = cupy.cuda
        self._cupy = cupy
        self._empty_pinned = cupyx.empty_pinned
        # nvinfer has waited for its own stream before it attaches the tensors (nvdsinfer_context_impl.cpp,
        # dequeueOutputBatch), so there is nothing else to wait for.
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._pinned: Any = None

    def reserve(self, rows: int, dimension: int) -> Any:
        # Only into pinned memory does the read-back go without a copy in between.
        self._pinned = self._empty_pinned((rows, dimension), np.float32)
        # Under our stream, for CuPy's pool gives a block again only to the stream whose work on it may still run.
        with self._stream:
            return self._cupy.empty((rows, dimension), np.float32)

    def copy(self, target: Any, address: int) -> None:
        # No owner: fetch waits, so nothing outlives the batch whose metadata holds the buffer.
        source = self._cuda.MemoryPointer(self._cuda.UnownedMemory(address, target.nbytes, None), 0)
        target.data.copy_from_device_async(source, target.nbytes, self._stream)

    def fetch(self, array: Any) -> NDArray[np.float32]:
        host = self._pinned[: len(array)]
        array.data.copy_to_host_async(host.ctypes.data, array.nbytes, self._stream)
        self._stream.synchronize()
        copy: NDArray[np.float32] = host.copy()
        return copy


class Gatherer:
    """Copies a batch's embeddings from one model's outputs. Called before the batch goes on: then nvinfer's pool may
    take its buffers back."""

    def __init__(self, device: Device, model: str) -> None:
        self._device = device
        self._model = model
        self._room: Any = None
        self._rows = 0
        self._layers: tuple[OutputLayer, ...] = ()
        self._dimension = 0
        self.copies = 0

    def __call__(self, arrays: BatchArrays) -> Embedded:
        """Of all objects that have a tensor. Raises ModelError where the model's output is not (D,) of FP32."""
        objects = np.flatnonzero(arrays.tensors)
        if not len(objects):
            return Embedded.none(len(arrays))
        self._make_room(arrays.layers, len(objects))
        # By address, not by object: embeddings of one inference are neighbours, whatever became of the objects' order.
        objects = objects[np.argsort(arrays.tensors[objects])]
        target, width = self._room[: len(objects)], self._dimension * _FLOAT_BYTES
        for start, end, address in runs(arrays.tensors[objects], width):
            self._device.copy(target[start:end], address)
            self.copies += 1
        embedding_of = np.full(len(arrays), -1, np.int64)
        embedding_of[objects] = np.arange(len(objects))
        return Embedded(embedding_of, self._device.fetch(target))

    def _make_room(self, layers: tuple[OutputLayer, ...], rows: int) -> None:
        if layers != self._layers:
            self._dimension = dimension_of(layers, self._model)
            self._layers, self._rows = layers, 0
        if rows > self._rows:
            self._rows = max(ROOM, 1 << (rows - 1).bit_length())
            self._room = self._device.reserve(self._rows, self._dimension)


class LateGatherer:
    """A Gatherer that asks for its device when there is something to copy: a module starts without."""

    def __init__(self, device: Callable[[], Device], model: str) -> None:
        self._device = device
        self._model = model
        self._gatherer: Gatherer | None = None

    def __call__(self, arrays: BatchArrays) -> Embedded:
        """Raises ModelError where the model's output is not (D,) of FP32, and whatever the device raises."""
        if self._gatherer is None:
            self._gatherer = Gatherer(self._device(), self._model)
        return self._gatherer(arrays)


def runs(addresses: NDArray[np.uint64], width: int) -> list[tuple[int, int, int]]:
    """(start, end, address) of neighbours in memory. addresses: (m,), rising; width: bytes from one to the next."""
    apart = np.flatnonzero(np.diff(addresses) != width) + 1
    starts = np.concatenate(([0], apart))
    ends = np.concatenate((apart, [len(addresses)]))
    return list(zip(starts.tolist(), ends.tolist(), addresses[starts].tolist(), strict=True))


def dimension_of(layers: Sequence[OutputLayer], model: str) -> int:
    """The length D of a re-ID model's output: one layer of FP32 with D numbers. Raises ModelError on all else."""
    expected = f"{model}: expected one output layer (D,) of FP32"
    if len(layers) != 1:
        names = ", ".join(layer.name for layer in layers) or "none"
        raise ModelError(
            f"{expected}, found {len(layers)} ({names}): export the model with its embedding as the only output"
        )
    name, data_type, shape = layers[0]
    if data_type != FLOAT:
        raise ModelError(
            f"{expected}, found {name} of {DATA_TYPES.get(data_type, f'data type {data_type}')}: export the model with "
            "an FP32 output (precision: fp16 in module.yml is fine, it concerns the layers inside)"
        )
    dimension = int(np.prod(shape)) if shape else 0
    if dimension < 2 or dimension != max(shape):
        raise ModelError(
            f"{expected}, found {name} of shape {list(shape)}: export the model so that it gives one vector per person"
        )
    return dimension

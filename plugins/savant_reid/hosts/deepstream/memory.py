"""C structures in this process's memory, read by their addresses. A wrong address ends the process."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.deepstream.layout import GLIST, offset

_DATA, _NEXT = offset(GLIST, "data"), offset(GLIST, "next")
# A list that is longer is none: it runs in a circle, or its memory holds something else.
LONGEST = 1 << 16


class BrokenList(Exception):
    """What should be a GList is none that ends."""


def pointer(address: int) -> int:
    """The pointer that lies at an address; 0 for NULL."""
    return ctypes.c_uint64.from_address(address).value


def record(address: int, structure: np.dtype[np.void]) -> np.void:
    """A copy of one structure."""
    return np.frombuffer(ctypes.string_at(address, structure.itemsize), structure)[0]  # type: ignore[no-any-return]


def records(addresses: NDArray[np.uint64], structure: np.dtype[np.void]) -> NDArray[np.void]:
    """Copies of several structures: (n,) of that type."""
    size = structure.itemsize
    copies = b"".join([ctypes.string_at(address, size) for address in addresses.tolist()])
    return np.frombuffer(copies, structure)


def members(head: int) -> list[int]:
    """What a GList's nodes point at, in its order. Raises BrokenList."""
    found: list[int] = []
    while head:
        if len(found) == LONGEST:
            raise BrokenList(f"expected a list of at most {LONGEST} nodes, found one that goes on")
        found.append(pointer(head + _DATA))
        head = pointer(head + _NEXT)
    return found

"""KeepTensor: the converter of the re-ID model, which leaves the tensor where it is."""

from __future__ import annotations

from typing import Any


class KeepTensor:
    """Returns no attributes: a 512-float attribute costs 53 us to write and 4 KB in every message (FACTS 1.7), and
    `identify` reads the tensor itself."""

    def __call__(self, *output_layers: Any, model: Any, roi: Any) -> list[Any]:  # noqa: ARG002 - Savant's signature
        return []

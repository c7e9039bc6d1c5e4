"""A converter as Savant's. Imports Savant and cupy: only in Savant's container."""

from __future__ import annotations

from typing import Any

from savant.base.converter import BaseAttributeModelOutputConverter, TensorFormat

from savant_reid.hosts.deepstream.hosted import instance_of


class DeepStreamConverter(BaseAttributeModelOutputConverter):  # type: ignore[misc]
    """Called once for each embedded person.

    tensor_format: CuPy makes Savant wrap the device pointer. As NumPy it would wrap the host's copy, which nvinfer does
    not make with disable-output-host-copy=1.
    """

    tensor_format = TensorFormat.CuPy
    local_class: type

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self._converter = instance_of(self.local_class, kwargs)

    def __call__(self, *output_layers: Any, model: Any, roi: Any) -> Any:
        return self._converter(*output_layers, model=model, roi=roi)

"""Which model an nvinfer element runs, told as everywhere in this project: element's name and file's SHA-256."""

from __future__ import annotations

import configparser
import hashlib
from pathlib import Path
from typing import Any


def model_of_element(gst_element: Any, name: str | None) -> str | None:
    """Of the nvinfer element of that name in gst_element's pipeline; None where there is none, or only an engine."""
    pipeline = gst_element.get_parent() if name is not None else None
    element = pipeline.get_by_name(name) if pipeline is not None else None
    config = element.get_property("config-file-path") if element is not None else None
    return model_of_config(Path(config), str(name)) if config else None


def model_of_config(config_file: Path, name: str) -> str | None:
    """From nvinfer's configuration; a relative onnx-file begins at its folder."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(config_file, encoding="utf-8")
        onnx = config.get("property", "onnx-file", fallback="")
        digest = hashlib.sha256((config_file.parent / onnx).read_bytes()) if onnx else None
    except (OSError, configparser.Error):
        return None
    return f"{name} sha256:{digest.hexdigest()}" if digest is not None else None

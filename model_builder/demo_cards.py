"""The cards of the two demo models, written when they are trained; `cards` holds what every card must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from model_builder.files import sha256_of

CARD_VERSION = 1
DATE = "2026-11-23"
DETECTOR, EMBEDDER = "person-detector-demo", "person-reid-demo"

_DETECTOR_CARD: dict[str, Any] = {
    "name": DETECTOR,
    "version": CARD_VERSION,
    "date": DATE,
    "task": "person detection",
    "architecture": {
        "description": "anchor-free one-class detector, CSP backbone, top-down and bottom-up neck, strides 8, 16 and 32"
    },
    "input": {
        "name": "images",
        "shape": ["batch", 3, 288, 512],
        "dtype": "float32",
        "layout": "NCHW",
        "color_format": "rgb",
        "range": [0.0, 1.0],
        "maintain_aspect_ratio": True,
        "symmetric_padding": "either",
    },
    "normalisation": {"scale_factor": 0.00392156862745098, "offsets": [0.0, 0.0, 0.0], "where": "outside the graph"},
    "output": {
        "name": "output0",
        "shape": ["batch", 5, 3024],
        "dtype": "float32",
        "layout": "YOLOv8's: xc, yc, w, h in input pixels, then one score per class after the sigmoid; no NMS",
        "classes": ["person"],
    },
}
_EMBEDDER_CARD: dict[str, Any] = {
    "name": EMBEDDER,
    "version": CARD_VERSION,
    "date": DATE,
    "task": "person re-identification",
    "architecture": {"description": "OSNet (arXiv 1905.00953), widths 32, 128, 192, 256"},
    "input": {
        "name": "images",
        "shape": ["batch", 3, 128, 64],
        "dtype": "float32",
        "layout": "NCHW",
        "color_format": "rgb",
        "range": [0.0, 255.0],
        "maintain_aspect_ratio": False,
    },
    "normalisation": {"scale_factor": 1.0, "offsets": [0.0, 0.0, 0.0], "where": "mean, std and L2 inside the graph"},
    "output": {"name": "embedding", "shape": ["batch", 256], "dtype": "float32", "l2_normalised": True},
    "embedding_dimension": 256,
}
_COMMON: dict[str, Any] = {
    "source": {
        "kind": "none",
        "note": "trained from random weights by model_builder on the simulated site (samples/simulated_site)",
    },
    "licence": {"name": "Apache-2.0", "commercial": True, "accept": False},
    "limits": "knows the simulated site's figures only; on real footage use a model trained on real people",
}
CARDS = {"detector": _DETECTOR_CARD, "embedder": _EMBEDDER_CARD}


def model_file(models: Path, kind: str) -> Path:
    """``models/NAME/NAME.onnx`` of ``detector`` or ``embedder``."""
    name = CARDS[kind]["name"]
    return models / name / f"{name}.onnx"


def metadata_of(kind: str) -> dict[str, str]:
    """What the ONNX file itself says of its card."""
    card = CARDS[kind]
    return {"name": card["name"], "card_version": str(card["version"]), "licence": _COMMON["licence"]["name"]}


def write_card(models: Path, kind: str, figures: dict[str, float]) -> Path:
    """Writes ``card.yml`` beside the model: facts, digest, figures and the command that gives them."""
    file = model_file(models, kind)
    # How long it took belongs to the machine, not to the model.
    lasting = {name: figure for name, figure in figures.items() if not name.startswith("milliseconds")}
    card = CARDS[kind] | {
        "file": {"name": file.name, "sha256": sha256_of(file), "bytes": file.stat().st_size},
        **_COMMON,
        "evaluation": {"command": f"python -m model_builder evaluate {kind}", "on": "unseen seeds", **lasting},
    }
    path = file.with_name("card.yml")
    path.write_text(yaml.safe_dump(card, sort_keys=False, width=110))
    return path

"""What a recording is made of: every knob of the generator, with its unit, and the presets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from savant_reid.errors import ConfigError

MOST_CAMERAS = 1000
MIN_HEIGHT_PX, MAX_HEIGHT_PX = 20.0, 1000.0


@dataclass(frozen=True)
class RecordingSettings:
    """One recording; two with the same settings are the same, byte for byte.

    cameras, people: how many there are. People arrive by chance over `arrival_s` seconds (`seconds` where None), the
        first of them `warm_s` before the recording begins, so that it starts in the middle of a day.
    seconds, fps: length, and frames per second of every camera.
    dimension: of the embeddings.
    heights_px: of the average person, farthest from a camera and nearest to it.
    visits: fewest and most views on one way through the site.
    dwell_s: median time in one view.
    return_probability: that somebody who left comes back once more; return_after_s: median time until then.
    group_share: share of the people who walk in groups of two to five.
    look_alike_share: share of the people who wear what one to five others wear.
    swap_probability: that the tracker exchanges two people who cross.
    miss_probability: that somebody in plain view is not detected in a frame.
    break_every_s: mean time after which the tracker loses a person and starts anew.
    ghosts_per_camera_minute: false tracks.
    blur_probability: crops that are much worse than the others.
    missing_probability: detections whose embedding is lost.
    embedding_every_s: None for an embedding on every detection, else about one per so many seconds, person and view.
    overlaps: pairs of cameras that see the same floor.
    undeclared_share: of the walks between cameras, those that site.yml does not name.
    """

    cameras: int = 8
    people: int = 100
    seconds: float = 720.0
    fps: float = 5.0
    seed: int = 0
    dimension: int = 256
    heights_px: tuple[float, float] = (120.0, 400.0)
    arrival_s: float | None = None
    warm_s: float = 60.0
    visits: tuple[int, int] = (3, 10)
    dwell_s: float = 12.0
    return_probability: float = 0.25
    return_after_s: float = 180.0
    group_share: float = 0.15
    look_alike_share: float = 0.0
    swap_probability: float = 0.04
    miss_probability: float = 0.05
    break_every_s: float = 25.0
    ghosts_per_camera_minute: float = 0.3
    blur_probability: float = 0.03
    missing_probability: float = 0.01
    embedding_every_s: float | None = None
    overlaps: int = 0
    undeclared_share: float = 0.2

    def __post_init__(self) -> None:
        for name, (least, most) in _BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ConfigError(f"recording: {name}: expected a number from {least} to {most}, found {value!r}")
        if not MIN_HEIGHT_PX <= self.heights_px[0] <= self.heights_px[1] <= MAX_HEIGHT_PX:
            expected = f"(farthest, nearest) from {MIN_HEIGHT_PX} to {MAX_HEIGHT_PX}"
            raise ConfigError(f"recording: heights_px: expected {expected}, found {self.heights_px!r}")
        if not 1 <= self.visits[0] <= self.visits[1]:
            raise ConfigError(f"recording: visits: expected (fewest, most) from 1 on, found {self.visits!r}")

    @property
    def embedding_model(self) -> str:
        return f"simulated/D{self.dimension}"


_SHARE = (0.0, 1.0)
_TIME = (1e-3, 1e7)
_BOUNDS: dict[str, tuple[float, float]] = {
    "cameras": (1, MOST_CAMERAS),
    "people": (1, 10_000_000),
    "seconds": _TIME,
    "fps": (0.1, 120.0),
    "seed": (0, 2**63 - 1),
    "dimension": (32, 4096),
    "arrival_s": _TIME,
    "warm_s": (0.0, 1e6),
    "dwell_s": (0.5, 3600.0),
    "return_probability": _SHARE,
    "return_after_s": _TIME,
    "group_share": _SHARE,
    "look_alike_share": _SHARE,
    "swap_probability": _SHARE,
    "miss_probability": _SHARE,
    "break_every_s": _TIME,
    "ghosts_per_camera_minute": (0.0, 1000.0),
    "blur_probability": _SHARE,
    "missing_probability": _SHARE,
    "embedding_every_s": (1e-3, 1e6),
    "overlaps": (0, MOST_CAMERAS),
    "undeclared_share": _SHARE,
}

PRESETS: dict[str, RecordingSettings] = {
    "easy": RecordingSettings(
        cameras=4,
        people=30,
        seconds=300.0,
        visits=(3, 6),
        group_share=0.1,
        break_every_s=60.0,
        swap_probability=0.02,
        ghosts_per_camera_minute=0.3,
    ),
    "real": RecordingSettings(),
    "hard": RecordingSettings(
        cameras=40,
        people=3000,
        seconds=1800.0,
        fps=3.0,
        look_alike_share=0.05,
        embedding_every_s=1.0,
        return_after_s=600.0,
    ),
    # About 1,200 people in view at once; small in the pictures of wide halls; all 20,000 come by if `seconds`
    # is 900 or more.
    "huge": RecordingSettings(
        cameras=80,
        people=20_000,
        seconds=120.0,
        fps=10.0,
        arrival_s=850.0,
        heights_px=(70.0, 220.0),
        warm_s=300.0,
        look_alike_share=0.05,
        embedding_every_s=1.0,
        return_after_s=600.0,
    ),
}
REAL_CAMERAS = (6, 12)
REAL_PEOPLE = (60, 150)
REAL_PEOPLE_PER_CAMERA = (10.0, 14.0)


def preset(name: str, seed: int = 0, **changes: Any) -> RecordingSettings:
    """The settings of that name. `real` draws its cameras and people from the seed, but for seed 0.

    changes: fields to set otherwise. Raises ConfigError for a name or field that does not exist.
    """
    if name not in PRESETS:
        raise ConfigError(f"recording: expected one of the presets {', '.join(PRESETS)}, found {name!r}")
    unknown = set(changes) - {field.name for field in fields(RecordingSettings)}
    if unknown:
        raise ConfigError(f"recording: expected fields of RecordingSettings, found {', '.join(sorted(unknown))}")
    drawn: dict[str, Any] = {"seed": seed}
    if name == "real" and seed:
        rng = np.random.default_rng([seed, 0x5EA1])
        drawn["cameras"] = int(rng.integers(REAL_CAMERAS[0], REAL_CAMERAS[1] + 1))
        people = drawn["cameras"] * rng.uniform(*REAL_PEOPLE_PER_CAMERA)
        drawn["people"] = int(np.clip(people, *REAL_PEOPLE))
    return replace(PRESETS[name], **{**drawn, **changes})

from __future__ import annotations

import pytest

from savant_reid.errors import ConfigError
from savant_reid.testing import PRESETS, Recording, RecordingSettings, preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_begins(name):
    settings = preset(name, seed=3, seconds=1.0, fps=2.0)
    recording = Recording(settings)
    moments = list(recording.moments())
    assert len(moments) == 2
    assert [len(moment.sightings) for moment in moments] == [len(recording.cameras)] * 2
    assert sum(len(frame) for frame in moments[0].truth) > 0  # it starts in the middle of a day


def test_real_draws_its_size_from_the_seed():
    sizes = {(preset("real", seed).cameras, preset("real", seed).people) for seed in range(20)}
    assert len(sizes) > 10
    assert all(6 <= cameras <= 12 and 60 <= people <= 150 for cameras, people in sizes)
    assert preset("real", 7, cameras=3).cameras == 3


def test_what_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"presets easy, real, hard, huge, found 'eazy'"):
        preset("eazy")
    with pytest.raises(ConfigError, match="fields of RecordingSettings, found camera"):
        preset("easy", camera=3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cameras", 0),
        ("people", 0),
        ("fps", 0.0),
        ("seconds", float("nan")),
        ("swap_probability", 1.5),
        ("embedding_every_s", -1.0),
        ("visits", (3, 2)),
        ("heights_px", (300.0, 200.0)),
    ],
)
def test_values_out_of_bounds_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"recording: {field}: expected"):
        RecordingSettings(**{field: value})

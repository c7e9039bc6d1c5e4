from __future__ import annotations

import pytest

from savant_reid.camera_names import check_camera_names
from savant_reid.errors import ConfigError


def test_usual_names_pass():
    check_camera_names(["entrance", "aisle 1", "Straße-2", "入口", "a.b", "overlay-x"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["mosaic"], "camera 'mosaic': expected another name"),
        ([""], "expected a name, found none"),
        (["  "], "expected a name, found none"),
        (["a/b"], "without '/' and control characters, found '/'"),
        (["a\nb"], r"found '\\n'"),
        (["a\u2028b"], "found '.u2028'"),
        (["door", "hall", "door"], "camera 'door': given twice"),
        (["a_b", "a\\b"], r"on disk, found 'overlay-a_b.mp4' taken by camera 'a_b'"),
        (["x" * 244], "has 256 bytes, 255 at most"),
        (["ü" * 122], "has 256 bytes, 255 at most"),
        (["a\udcff"], "UTF-8"),
    ],
)
def test_other_names_are_refused(names, message):
    with pytest.raises(ConfigError, match=message):
        check_camera_names(names)


def test_the_longest_name_passes():
    check_camera_names(["x" * 243])

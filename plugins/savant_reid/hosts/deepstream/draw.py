"""A draw function as Savant's NvDsDrawFunc. Imports Savant and its GPU build of OpenCV: only in Savant's container.

It takes its text from the attributes. A draw label per identity would not do: Savant looks its drawing rules up by
(element, draw label), and whoever has none there is not drawn at all.
"""

from __future__ import annotations

from typing import Any

from savant.deepstream.drawfunc import NvDsDrawFunc
from savant.utils.artist import Position
from savant_rs.primitives.geometry import BBox

from savant_reid.hosts.deepstream.canvas import ArtistCanvas
from savant_reid.hosts.deepstream.drawing import drawn_frame
from savant_reid.hosts.deepstream.hosted import instance_of
from savant_reid.hosts.deepstream.troubles import Troubles


class DeepStreamDrawFunc(NvDsDrawFunc):  # type: ignore[misc]
    """Raises nothing while the stream runs. `condition` is heeded as in Savant; `rendered_objects` has no effect."""

    local_class: type

    def __init__(self, condition: dict[str, Any] | None = None, rendered_objects: Any = None, **kwargs: Any) -> None:
        super().__init__(condition=condition or {})
        self._drawing = instance_of(self.local_class, kwargs)
        self._troubles = Troubles(self.logger, self.local_class.__name__)
        if rendered_objects:
            self.logger.warning("parameters.draw_func.rendered_objects has no effect: all people are drawn alike")

    def process_buffer(self, buffer: Any) -> None:
        try:
            super().process_buffer(buffer)
        except Exception as error:
            self._troubles.note("draw", "-", "-", error)

    def process_frame(self, buffer: Any, frame_meta: Any) -> None:
        try:
            super().process_frame(buffer, frame_meta)
        except Exception as error:
            self._troubles.note("draw", frame_meta.source_id, frame_meta.frame_num, error)

    def draw_on_frame(self, frame_meta: Any, artist: Any) -> None:
        time_ns = int(frame_meta.video_frame.creation_timestamp_ns)
        frame, decisions = drawn_frame(frame_meta.source_id, time_ns, artist.frame_wh, frame_meta.objects)
        self._drawing.draw(frame, decisions, ArtistCanvas(artist, BBox.ltwh, Position.LEFT_BOTTOM))

"""Which frames of a batch can be worked on, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from savant_reid.hosts.deepstream import pyds_batch
from savant_reid.hosts.deepstream.bridge import Bridge
from savant_reid.hosts.deepstream.epochs import Epochs
from savant_reid.hosts.deepstream.frames import Head, frame_time_ns
from savant_reid.hosts.deepstream.troubles import Troubles


class Heads:
    """Reads the heads of a batch's frames. What is wrong with one frame is noted and concerns that frame only.

    get_frame: Savant's get_batched_frame of (batch id, frame id). refuses: why a camera is unwanted, or None.
    """

    def __init__(
        self,
        bridge: Bridge,
        get_frame: Callable[[int, int], tuple[Any, Any]],
        epochs: Epochs,
        troubles: Troubles,
        refuses: Callable[[str], str | None],
    ) -> None:
        self._bridge = bridge
        self._get_frame = get_frame
        self._epochs = epochs
        self._troubles = troubles
        self._refuses = refuses
        self._refused: dict[str, str | None] = {}

    def read(self, buffer: Any, batch_meta: Any) -> list[Head]:
        savant_batch = self._bridge.savant_batch(buffer)
        if savant_batch is None:
            self._troubles.note("no Savant metadata", "-", "-", "the batch has none, it is passed on as it is")
            return []
        heads = []
        for index, frame_meta in enumerate(pyds_batch.frames_of(self._bridge.pyds, batch_meta)):
            camera = "-"
            try:
                savant_frame = self._bridge.savant_frame(frame_meta)
                if savant_frame is None:
                    raise ValueError("expected Savant's metadata on the frame, found none")
                video_frame, _ = self._get_frame(savant_batch.idx, savant_frame.idx)
                camera = video_frame.source_id
                if self._is_welcome(camera, frame_meta.frame_num):
                    heads.append(self._head(index, camera, video_frame, frame_meta))
            except Exception as error:  # this frame goes on as it is, the others are worked on
                self._troubles.note("frame", camera, frame_meta.frame_num, error)
        return heads

    def ask_again(self, camera: str) -> None:
        """The camera begins anew: what was refused may be welcome now."""
        self._refused.pop(camera, None)

    def _head(self, index: int, camera: str, video_frame: Any, frame_meta: Any) -> Head:
        epoch = self._epochs.of(camera, frame_meta.pad_index)
        return Head(index, camera, frame_time_ns(video_frame), frame_meta.frame_num, epoch, video_frame)

    def _is_welcome(self, camera: str, frame: int) -> bool:
        if camera not in self._refused:
            self._refused[camera] = self._refuses(camera)
        reason = self._refused[camera]
        if reason is not None:
            self._troubles.note("camera refused", camera, frame, reason)
        return reason is None

"""One served stream: pictures in, H.264 out, but only while somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local import gst
from savant_reid.hosts.local.frame_rate import DEFAULT_FPS
from savant_reid.hosts.local.video_writer import pad_to_even

# The newest pictures count: with a slow encoder older ones are skipped. 5 ride out what else a busy machine does.
QUEUE_FRAMES = 5
# By the clock and not by frames: nobody knows a live camera's rate beforehand.
KEY_SECONDS = 1.0
# Only a bound for x264: key frames are asked for.
_MOST_FRAMES_PER_KEY = 1000
# At constant quality, an upper bound for what rain and noise cost: 3.5 Mbit/s for 1280x720 at 25 frames/s.
_BITS_PER_PIXEL = 0.15
_LEAST_KBIT = 1000
# Taking a media down takes some milliseconds.
_ENDING_SECONDS, _DOUBT_SECONDS = 5.0, 0.5
ELEMENTS = ("appsrc", "videoconvert", "x264enc", "rtph264pay", "rtpbin", "multiudpsink", "udpsrc", "appsink")
# Baseline profile without B-frames: the common denominator of VMS clients and the browsers behind them. stream-format
# avc is what makes the payloader tell profile-level-id in the SDP.
LAUNCH = (
    f"( appsrc name=pictures is-live=true format=time block=false leaky-type=downstream "
    f"max-bytes=0 max-buffers={QUEUE_FRAMES} ! videoconvert n-threads=1 ! video/x-raw,format=I420 "
    f"! x264enc name=encoder tune=zerolatency speed-preset=ultrafast threads=1 bframes=0 "
    f"key-int-max={_MOST_FRAMES_PER_KEY} pass=qual quantizer=25 aud=false "
    f"! video/x-h264,profile=baseline,stream-format=avc "
    f"! rtph264pay name=pay0 pt=96 config-interval=-1 aggregate-mode=zero-latency )"
)


class RtspStream:
    """Used by the pipeline's thread (`push`), the server's (the rest) and that of the metrics (`figures`).

    A media is GStreamer's word for a running encoder with its payloader; there is one as long as somebody has asked
    for the stream, shared by all who watch it. encodings: how many there have been.
    """

    def __init__(self, mount: str, fps: float, watchers: Callable[[RtspStream], int]) -> None:
        """fps: nominal, where `push` does not say. watchers: how many clients a stream has."""
        self.mount = mount
        self.name = f"rtsp/{mount}"
        self.encodings = 0
        self.frames_encoded = 0
        self.key_frames = 0
        self.frames_skipped = 0
        self.clients_closed = 0
        self.media: Any = None
        self._fps = fps
        self._watchers = watchers
        self._lock = threading.Lock()
        self._source: Any = None
        self._encoder: Any = None
        self._size = (0, 0)
        self._pushed = 0
        self._passed = 0
        self._playing = False
        self._key_at = 0.0

    @property
    def watched(self) -> bool:
        return self._source is not None

    def figures(self) -> Mapping[str, float]:
        return {
            "clients": self._watchers(self),
            "encodings": self.encodings,
            "frames_encoded": self.frames_encoded,
            "key_frames": self.key_frames,
            "frames_skipped": self.frames_skipped,
            "clients_closed": self.clients_closed,
        }

    def push(self, image: NDArray[np.uint8], fps: float | None = None) -> None:
        """image: (h, w, 3) uint8 BGR, copied. Never waits."""
        with self._lock:
            # One picture tells those who ask what the stream is like; the others wait until somebody plays it.
            if self._source is None or (self._pushed and not self._playing):
                return
            image = pad_to_even(image)
            height, width = image.shape[:2]
            if self._size != (width, height):
                self._begin(width, height, fps or self._fps)
            buffer = gst.to_buffer(image, self._running_ns(), None)
            buffer.offset = self._pushed
            self._pushed += 1
            if time.monotonic() - self._key_at >= KEY_SECONDS:
                self._ask_for_key()
            self._source.push_buffer(buffer)

    def ask_for_key(self) -> None:
        """The next picture becomes a key frame: somebody has joined."""
        with self._lock:
            self._ask_for_key()

    def wait_for_ending(self, lasts: Callable[[], bool]) -> None:
        """Waits while the media is being taken down, or may be: GStreamer answers 503 to who comes in that moment.

        lasts: somebody watches it who stays; without one it is either about to be played or about to end.
        """
        ending = gst.rtsp_server_bindings().RTSPMediaStatus.UNPREPARING
        begin = time.monotonic()
        while (media := self.media) is not None:
            waited = time.monotonic() - begin
            if waited > _ENDING_SECONDS or (media.get_status() != ending and (waited > _DOUBT_SECONDS or lasts())):
                return
            time.sleep(0.005)

    def attach(self, media: Any) -> None:
        """A first client has come: this media takes the pictures until the last one is gone."""
        element = media.get_element()
        source, encoder = (element.get_by_name_recurse_up(name) for name in ("pictures", "encoder"))
        kind = gst.bindings().Gst.PadProbeType.BUFFER
        with self._lock:
            self.media, self._source, self._encoder = media, source, encoder
            self._size, self._pushed, self._passed, self._playing = (0, 0), 0, 0, False
            self.encodings += 1
        source.get_static_pad("src").add_probe(kind, self._leaves_queue)
        encoder.get_static_pad("src").add_probe(kind, self._leaves_encoder)
        media.connect("new-state", self._change)
        # After the factory's own handler, which forgets the media: nobody may come by it then and find it ended.
        media.connect_after("unprepared", self._detach)

    def _begin(self, width: int, height: int, fps: float) -> None:
        """Pictures of a size that this encoder has not had: it begins anew, with a key frame."""
        self._source.set_property("caps", gst.bgr_caps(width, height, fps))
        kbit = max(_LEAST_KBIT, round(width * height * (fps or DEFAULT_FPS) * _BITS_PER_PIXEL / 1000))
        self._encoder.set_property("bitrate", kbit)
        self._size = (width, height)

    def _running_ns(self) -> int:
        """Since the encoder began. appsrc's do-timestamp does not see that it is only just about to, and subtracts no
        beginning: such a picture would be sent hours later, and all others after it.
        """
        clock = self._source.get_clock()
        began_ns = self._source.get_base_time()
        return max(0, clock.get_time() - began_ns) if clock is not None and began_ns else 0

    def _ask_for_key(self) -> None:
        if self._encoder is not None:
            bindings = gst.bindings()
            event = bindings.GstVideo.video_event_new_upstream_force_key_unit(bindings.Gst.CLOCK_TIME_NONE, False, 0)
            self._encoder.send_event(event)
            self._key_at = time.monotonic()

    def _change(self, media: Any, state: int) -> None:
        with self._lock:
            if media is self.media:
                self._playing = state == int(gst.bindings().Gst.State.PLAYING)

    def _detach(self, media: Any) -> None:
        with self._lock:
            if media is self.media:
                self.media = self._source = self._encoder = None
                self._playing = False

    def _leaves_queue(self, _pad: Any, info: Any) -> Any:
        """Pictures are numbered: numbers that are missing here were thrown away by the queue."""
        number = info.get_buffer().offset
        self.frames_skipped += number - self._passed
        self._passed = number + 1
        return gst.bindings().Gst.PadProbeReturn.OK

    def _leaves_encoder(self, _pad: Any, info: Any) -> Any:
        self.frames_encoded += 1
        if not info.get_buffer().has_flags(gst.bindings().Gst.BufferFlags.DELTA_UNIT):
            self.key_frames += 1
        return gst.bindings().Gst.PadProbeReturn.OK

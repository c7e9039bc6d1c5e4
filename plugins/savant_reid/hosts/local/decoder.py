"""One GStreamer pipeline that decodes a URI, in software, to BGR pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.hosts.local import gst

# Decoded pictures kept ahead of the consumer: enough to decode while the consumer works, little memory.
QUEUE_FRAMES = 3
# While waiting for a picture, the bus is looked at this often.
_SLICE_NS = 50_000_000
# Streams that renew their picture bit by bit have no keyframes: what comes after this time is decoded in any case.
_KEYFRAME_SECONDS = 20.0


class StreamError(Exception):
    """A stream broke. Internal: sources turn it into a SourceError, a reconnect or an early end. Holds no secrets.

    cause: what of it a camera's source has to know.
    """

    def __init__(self, text: str, cause: gst.Cause = gst.Cause.OTHER) -> None:
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True)
class Picture:
    """image: (height, width, 3) uint8 BGR. pts_ns: the container's time, where it has one."""

    image: NDArray[np.uint8]
    pts_ns: int | None


@dataclass(frozen=True)
class Packet:
    """The latest RTP packet. rtp_time: 32 bits, in units of 1 / clock_rate s. number: 16 bits."""

    rtp_time: int
    clock_rate: int
    number: int


class _Gate:
    """Keeps from a decoder what comes before the first keyframe: it would make grey ghosts of it."""

    def __init__(self) -> None:
        gst_ = gst.bindings().Gst
        self._drop, self._pass = gst_.PadProbeReturn.DROP, gst_.PadProbeReturn.REMOVE
        self._delta = gst_.BufferFlags.DELTA_UNIT
        self._kind = gst_.PadProbeType.BUFFER
        self._opens_at = time.monotonic() + _KEYFRAME_SECONDS
        self.kept = 0

    def stand_before(self, decoder: Any) -> None:
        decoder.get_static_pad("sink").add_probe(self._kind, self._look)

    def _look(self, _pad: Any, info: Any) -> Any:
        if not info.get_buffer().has_flags(self._delta) or time.monotonic() > self._opens_at:
            return self._pass
        self.kept += 1
        return self._drop


class _Found:
    """What came out of the streams: written by GStreamer's threads."""

    def __init__(self, gate: _Gate | None) -> None:
        self.no_video = False
        self.gate = gate
        self.depayloader: Any = None
        self.jitter_buffer: Any = None

    def note(self, video_linked: bool) -> None:
        self.no_video = not video_linked

    def added(self, element: Any) -> None:
        factory = element.get_factory()
        if factory is None:
            return
        kind = factory.get_metadata("klass")
        if "Decoder" in kind and "Video" in kind:
            _limit_threads(element)
            if self.gate is not None:
                self.gate.stand_before(element)
        elif "Depayloader" in kind and element.find_property("stats") is not None:
            self.depayloader = element
        elif factory.get_name() == "rtpjitterbuffer":
            self.jitter_buffer = element


class Decoder:
    """Decodes the first video stream of a URI.

    realtime: hand pictures out at the pace of their time stamps, not as fast as they are taken.
    from_keyframe: leave out what comes before the first keyframe, as of a stream that is joined in its midst.
    on_source: is called with the source element (rtspsrc, filesrc) before it starts.
    decode_errors: pictures that the decoder gave up or marked as damaged. fps: as the stream says, 0 where it does not.
    """

    def __init__(
        self,
        uri: str,
        *,
        realtime: bool = False,
        from_keyframe: bool = False,
        on_source: Callable[[Any], None] | None = None,
    ) -> None:
        self._gst = gst.bindings().Gst
        self.ended = False
        self.fps = 0.0
        self.decode_errors = 0
        self._error = ""
        self._cause = gst.Cause.OTHER
        self._lost_at_first: int | None = None
        self._found = _Found(_Gate() if from_keyframe else None)
        self._pipeline = self._gst.Pipeline.new(None)
        self._build(uri, realtime, on_source)

    def _build(self, uri: str, realtime: bool, on_source: Callable[[Any], None] | None) -> None:
        # Not expose-all-streams=false: with it decodebin refuses every stream that is not raw from the start.
        source = gst.make("uridecodebin", uri=uri, force_sw_decoders=True)
        convert = gst.make("videoconvert", n_threads=1)
        self._sink = gst.make(
            "appsink",
            caps="video/x-raw,format=BGR",
            sync=realtime,
            max_buffers=QUEUE_FRAMES,
            drop=False,
            wait_on_eos=False,
        )
        self._pipeline.add(source)
        gst.chain(self._pipeline, convert, self._sink)
        target = convert.get_static_pad("sink")
        # No handler may hold this object: Python's collector does not see cycles through GStreamer's elements.
        found = self._found
        self._pipeline.connect("deep-element-added", lambda _pipeline, _bin, element: found.added(element))
        source.connect("pad-added", lambda _bin, pad: _link_video(pad, target))
        source.connect("no-more-pads", lambda _bin: found.note(target.is_linked()))
        if on_source is not None:
            source.connect("source-setup", lambda _bin, element: on_source(element))

    def start(self) -> None:
        self._pipeline.set_state(self._gst.State.PLAYING)

    def pull(self, timeout_seconds: float) -> Picture | None:
        """The next picture; None when there is none in that time or the stream has ended (then `ended` is True).

        Raises StreamError when the stream broke; pictures decoded before that are handed out first.
        """
        remaining_ns = int(timeout_seconds * gst.SECOND_NS)
        while not self.ended:
            slice_ns = min(remaining_ns, _SLICE_NS)
            sample = self._sink.try_pull_sample(slice_ns)
            self._read_bus()
            if sample is not None:
                return self._picture(sample)
            self._check()
            remaining_ns -= slice_ns
            if remaining_ns <= 0:
                break
        return None

    def duration_ns(self) -> int | None:
        known, duration_ns = self._pipeline.query_duration(self._gst.Format.TIME)
        return duration_ns if known and duration_ns > 0 else None

    def packet(self) -> Packet | None:
        """The latest packet of an RTSP stream; None before the first one, and for files."""
        if self._found.depayloader is None:
            return None
        stats = self._found.depayloader.get_property("stats")
        packet = Packet(stats.get_value("timestamp"), stats.get_value("clock_rate"), stats.get_value("seqnum"))
        return packet if packet.clock_rate and (packet.rtp_time or packet.number) else None

    def left_out(self) -> int:
        """Pictures before the first keyframe."""
        return self._found.gate.kept if self._found.gate else 0

    def packets_lost(self) -> int:
        """RTP packets that did not come in time, since the first one that did."""
        if self._found.jitter_buffer is None:
            return 0
        stats = self._found.jitter_buffer.get_property("stats")
        lost = int(stats.get_value("num-lost"))
        if self._lost_at_first is None and stats.get_value("num-pushed"):
            self._lost_at_first = lost
        return lost - (lost if self._lost_at_first is None else self._lost_at_first)

    def close(self) -> None:
        """Stops decoding and frees everything; may be called twice."""
        self.ended = True
        self._pipeline.set_state(self._gst.State.NULL)

    def _picture(self, sample: Any) -> Picture:
        buffer = sample.get_buffer()
        known, numerator, denominator = sample.get_caps().get_structure(0).get_fraction("framerate")
        self.fps = numerator / denominator if known and denominator else 0.0
        pts_ns = buffer.pts if buffer.pts != self._gst.CLOCK_TIME_NONE else None
        if buffer.has_flags(self._gst.BufferFlags.CORRUPTED):
            self.decode_errors += 1
        return Picture(gst.to_array(sample), pts_ns)

    def _read_bus(self) -> None:
        """Keeps an error until the pictures before it are taken; a QoS message is a picture the decoder gave up.

        rtspsrc only warns when a server closes the connection, and ends its streams: of those there are none before the
        first packet.
        """
        types = self._gst.MessageType
        bus = self._pipeline.get_bus()
        while (message := bus.pop_filtered(types.ERROR | types.QOS | types.WARNING)) is not None:
            if message.type == types.QOS:
                self.decode_errors += 1
            elif message.type == types.WARNING:
                if self._found.depayloader is None and gst.says_unreadable(message):
                    self._error = self._error or gst.error_text(message)
            elif not self._error:
                self._error, self._cause = gst.error_text(message), gst.error_cause(message)

    def _check(self) -> None:
        # Sound that nobody takes ends in an error of its own, sooner or later.
        if self._found.no_video and (not self._error or "not-linked" in self._error):
            self.ended = True
            raise StreamError("it has no video stream")
        if self._error:
            self.ended = True
            raise StreamError(self._error, self._cause)
        self.ended = self.ended or self._sink.is_eos()


def _link_video(pad: Any, target: Any) -> None:
    """Links the first video stream; sound and further streams stay open, which decodebin bears."""
    caps = pad.get_current_caps() or pad.query_caps(None)
    if caps.to_string().startswith("video/") and not target.is_linked():
        pad.link(target)


def _limit_threads(decoder: Any) -> None:
    """One thread for each video decoder: many cameras share few cores, and the models want them."""
    for name in ("max-threads", "n-threads", "threads"):
        if decoder.find_property(name) is not None:
            decoder.set_property(name, 1)

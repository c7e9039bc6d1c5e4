"""The door to GStreamer: imports it on first use, and knows the few conversions that everybody at the edge needs."""

from __future__ import annotations

import enum
import functools
import importlib
import itertools
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from savant_reid.errors import SavantReidError
from savant_reid.redaction import redact

APT_COMMAND = (
    "sudo apt-get install -y python3-gi python3-gst-1.0 gir1.2-gst-plugins-base-1.0 gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly "
    "gstreamer1.0-libav"
)
# Where Debian and Ubuntu keep the elements that are missing most often.
_PACKAGES = {
    **dict.fromkeys(("appsrc", "appsink", "videoconvert"), "gstreamer1.0-plugins-base"),
    **dict.fromkeys(("rtph264pay", "rtpbin", "multiudpsink", "udpsrc", "mp4mux"), "gstreamer1.0-plugins-good"),
    "h264parse": "gstreamer1.0-plugins-bad",
    "x264enc": "gstreamer1.0-plugins-ugly",
}
SECOND_NS = 1_000_000_000
log = logging.getLogger(__name__)


class Cause(enum.Enum):
    """Of an error: what somebody does something else about."""

    REFUSED = "refused"  # user or password are wrong, missing, or may not do this
    NOT_FOUND = "not found"
    OTHER = "other"


@dataclass(frozen=True)
class Bindings:
    """The parts of GStreamer's Python bindings that the host uses."""

    Gst: Any
    GstVideo: Any
    GLib: Any


@functools.cache
def bindings() -> Bindings:
    """GStreamer, initialised. Raises SavantReidError with the apt command where it is missing."""
    try:
        import gi

        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        gi.require_version("GstVideo", "1.0")
        # GstApp is imported for its effect: it gives appsrc and appsink their methods.
        from gi.repository import GLib, Gst, GstApp, GstVideo  # noqa: F401
    except (ImportError, ValueError) as error:
        raise SavantReidError(_missing(f"GStreamer's Python bindings cannot be loaded ({error})")) from error
    Gst.init(None)
    if not hasattr(Gst, "MapInfo") or not hasattr(Gst.Buffer, "map_range"):
        raise SavantReidError(_missing("python3-gst-1.0 (GStreamer's Python overrides) is not installed"))
    complaints = GLib.LogLevelFlags.LEVEL_CRITICAL | GLib.LogLevelFlags.LEVEL_WARNING  # fatal ones abort as ever
    for domain in ("GStreamer", "GLib", "GLib-GObject", "GLib-GIO"):
        GLib.log_set_handler(domain, complaints, _complain, None)
    return Bindings(Gst, GstVideo, GLib)


def _complain(domain: str, _level: int, text: str, _data: object) -> None:
    """What GStreamer would print by itself on standard error: into our logs, which may be JSON and hold no secrets."""
    # rtspsrc 1.22, whenever a camera ends a stream that was never sought in.
    level = logging.DEBUG if "gst_event_set_seqnum" in text else logging.WARNING
    log.log(level, "%s: %s", domain, redact(text))


@functools.cache
def rtsp_bindings() -> Any:
    """The module GstRtsp. Raises SavantReidError with the apt command where it is missing."""
    return _namespace("GstRtsp", "RTSP library")


@functools.cache
def rtsp_server_bindings() -> Any:
    """The module GstRtspServer. Raises SavantReidError with the apt command where it is missing."""
    return _namespace("GstRtspServer", "RTSP server")


def _namespace(name: str, what: str) -> Any:
    bindings()
    try:
        import gi

        gi.require_version(name, "1.0")
        return importlib.import_module(f"gi.repository.{name}")
    except (ImportError, ValueError) as error:
        raise SavantReidError(_missing(f"GStreamer's {what} cannot be loaded ({error})")) from error


def make(factory: str, **properties: Any) -> Any:
    """A new element with properties (underscores for dashes). Raises SavantReidError if the plugin is missing."""
    element = bindings().Gst.ElementFactory.make(factory, None)
    if element is None:
        raise _no_element(factory)
    for name, value in properties.items():
        # By name and as text where it is text: enums such as speed-preset take their nicks only through this call.
        if isinstance(value, str):
            bindings().Gst.util_set_object_arg(element, name.replace("_", "-"), value)
        else:
            element.set_property(name.replace("_", "-"), value)
    return element


def require(*factories: str) -> None:
    """Raises SavantReidError for the first element whose plugin is missing."""
    for factory in factories:
        if bindings().Gst.ElementFactory.find(factory) is None:
            raise _no_element(factory)


def chain(pipeline: Any, *elements: Any) -> None:
    """Adds the elements to the pipeline and links them in their order."""
    for element in elements:
        pipeline.add(element)
    for upstream, downstream in itertools.pairwise(elements):
        if not upstream.link(downstream):
            raise SavantReidError(f"GStreamer cannot link {upstream.get_name()} to {downstream.get_name()}")


def error_text(message: Any) -> str:
    """What a message about an error or a warning says, in one line and without secrets."""
    error, debug = _parsed(message)
    text = str(error.message).strip()
    detail = (debug or "").strip().splitlines()
    # The last line of the debug text is the cause ("gst_rtspsrc_retrieve_sdp: Failed to connect. (Not found)").
    last = detail[-1].strip() if detail else ""
    if last.startswith(text):
        text = last
    elif last and last not in text:
        text = f"{text} ({last})"
    return redact(text)


def says_unreadable(message: Any) -> bool:
    """An error or a warning that nothing can be read any more."""
    codes = bindings().Gst.ResourceError
    return bool(_parsed(message)[0].matches(codes.quark(), codes.READ))


def _parsed(message: Any) -> Any:
    """(error, debug text or None)."""
    kinds = bindings().Gst.MessageType
    return message.parse_warning() if message.type == kinds.WARNING else message.parse_error()


def error_cause(message: Any) -> Cause:
    """Why an error message was sent, as far as a camera's source has to know."""
    error, debug = message.parse_error()
    if "Forbidden (403)" in (debug or ""):  # rtspsrc has no code for it
        return Cause.REFUSED
    codes = bindings().Gst.ResourceError
    for code, cause in ((codes.NOT_AUTHORIZED, Cause.REFUSED), (codes.NOT_FOUND, Cause.NOT_FOUND)):
        if error.matches(codes.quark(), code):
            return cause
    return Cause.OTHER


def to_array(sample: Any) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 BGR: a copy of a BGR sample, valid for ever; strides and padding are taken out."""
    gst = bindings()
    info = gst.GstVideo.VideoInfo.new_from_caps(sample.get_caps())
    buffer = sample.get_buffer()
    meta = gst.GstVideo.buffer_get_video_meta(buffer)
    stride, offset = (meta.stride[0], meta.offset[0]) if meta else (info.stride[0], info.offset[0])
    mapped = buffer.map(gst.Gst.MapFlags.READ)
    try:
        view = np.ndarray(
            (info.height, info.width, 3), np.uint8, buffer=mapped.data, offset=offset, strides=(stride, 3, 1)
        )
        return np.array(view, np.uint8, order="C")
    finally:
        buffer.unmap(mapped)


def to_buffer(image: NDArray[np.uint8], pts_ns: int | None, duration_ns: int | None) -> Any:
    """A GStreamer buffer with a copy of a BGR image, its rows padded to GStreamer's stride (a multiple of 4 bytes)."""
    gst = bindings().Gst
    height, width = image.shape[:2]
    stride = (width * 3 + 3) // 4 * 4
    if stride != width * 3:
        padded = np.zeros((height, stride), np.uint8)
        padded[:, : width * 3] = image.reshape(height, width * 3)
        image = padded
    buffer = gst.Buffer.new_wrapped(image.tobytes())
    if pts_ns is not None:
        buffer.pts = pts_ns
    if duration_ns is not None:
        buffer.duration = duration_ns
    return buffer


def bgr_caps(width_px: int, height_px: int, fps: float) -> Any:
    """Caps of raw BGR frames of that size. fps 0 means variable."""
    millihertz = round(fps * 1000)
    return bindings().Gst.Caps.from_string(
        f"video/x-raw,format=BGR,width={width_px},height={height_px},framerate={millihertz}/1000"
    )


def _no_element(factory: str) -> SavantReidError:
    package = _PACKAGES.get(factory)
    what = f"GStreamer has no element {factory!r}" + (f" (it is in {package})" if package else "")
    return SavantReidError(_missing(what))


def _missing(what: str) -> str:
    return f"{what}; install it with: {APT_COMMAND}"

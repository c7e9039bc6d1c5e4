"""Logs on standard error: as text for people, or one JSON object a line for a collector. No secret in either."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from types import TracebackType
from typing import Any, TextIO

from savant_reid.redaction import redact

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
log = logging.getLogger(__name__)


# A formatter and not a filter: progress bars put handlers of their own in the place of ours and keep the formatter.
class TextFormatter(logging.Formatter):
    """LEVEL message, without users and passwords of URIs."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC, RFC 3339, milliseconds), level, logger, thread, message, and where there are any
    `exception` and what a caller gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        entry: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = redact(self.formatException(record.exc_info))
        for key, value in vars(record).items():
            if key not in _OWN and key not in entry:
                entry[key] = value if isinstance(value, (int, float, bool)) else redact(str(value))
        return json.dumps(entry, ensure_ascii=False, default=str)


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]
    """To what standard error is at the moment, not what it was when logging was set up."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr


def configure(level: int, style: str = TEXT) -> None:
    """All records of `level` and above to standard error. style: one of FORMATS. The last call counts."""
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _StandardError)]:
        root.removeHandler(old)
    handler = _StandardError()
    handler.setFormatter(JsonFormatter() if style == JSON else TextFormatter())
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


def catch_uncaught() -> None:
    """Exceptions that nobody catches are logged too, where Python would print them as they are."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda caught: _uncaught(
        caught.exc_type, caught.exc_value or caught.exc_type(), caught.exc_traceback
    )


def is_json() -> bool:
    """True where logs are objects, and whatever else is said on standard error should be one, too."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def say(lines: Sequence[str]) -> None:
    """A command's last words: to people as they are, to a collector as records."""
    if not is_json():
        print("\n".join(lines), file=sys.stderr)
        return
    for line in lines:
        log.info("%s", line)


def _uncaught(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
        return
    log.critical("unexpected: %s", error, exc_info=(kind, error, where))

"""Structured JSON logs on standard output, with the request's ids and without secrets."""

import logging
import math
import re
import sys
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

import structlog
from pydantic_core import to_json

from omnify_shared import clock
from omnify_shared.context import current

MASK = "***"
_WORDS = (
    r"password|passwd|pwd|passphrase|token|secret|authorization|cookie|api[_-]?key|private[_-]?key|pepper|credential"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SECRET_NAME = re.compile(rf"(^|[_.-])({_WORDS})s?($|[_.-])", re.IGNORECASE)
_SECRET_TEXT = (
    (re.compile(r"eyJ[\w-]{8,}\.[\w-]*(\.[\w-]*)+"), MASK),
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',;]+", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), rf"\1{MASK}@"),
    (re.compile(rf"((?:{_WORDS})s?[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&)}}\]]+", re.IGNORECASE), rf"\1{MASK}"),
)
_NEEDED = re.compile(r"[\s=:]|eyJ")  # each of the above has one of these; ids, routes and methods have none
_OURS = frozenset({"_record", "_from_structlog", "level", "timestamp", "app"})
Event = MutableMapping[str, Any]


def configure(app_id: str, level: str) -> None:
    """Sends structlog and the standard library's records through one JSON renderer.

    `level` is a name of the `logging` module. Values under names such as `password` or `token`, bearer tokens,
    JWTs and URL passwords are masked wherever they stand.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _add_context(app_id),
        mask,
    ]
    renderer = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(renderer)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class AccessLog:
    """A line per request, of the shape of all other lines. It is on the path of every request, so it is written without
    structlog's machinery; its fields hold no secrets."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._logger = logging.getLogger("omnify.access")

    def line(self, method: str, route: str, status: int, ms: float) -> None:
        """Writes the line of a request; `route` is the template, never the path, which may hold ids."""
        if not self._logger.isEnabledFor(logging.INFO):
            return
        context = current()
        line = {
            "event": "request",
            "level": "info",
            "timestamp": clock.now(),
            "app": self._app_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": ms,
            "request_id": hide(context.request_id),
            "trace_id": context.traceparent[3:35],
        }
        sys.stdout.write(to_json(line).decode() + "\n")
        sys.stdout.flush()


def _add_context(app_id: str) -> Any:
    def add(_: Any, __: str, event: Event) -> Event:
        context = current()
        event.setdefault("app", app_id)
        if context.request_id != "-":
            event.setdefault("request_id", context.request_id)
            event.setdefault("trace_id", context.traceparent[3:35])
        return event

    return add


def mask(_: Any, __: str, event: Event) -> Event:
    """Hides secrets in a log event, by the name of a field or by the look of its value; makes every value JSON."""
    for name, value in event.items():
        if name not in _OURS:
            event[name] = _masked(name, value)
    return event


def _masked(name: str, value: Any) -> Any:
    if _is_sensitive(name):
        return MASK
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {hide(str(key)): _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", item) for item in value]
    if isinstance(value, bytes | bytearray):
        value = value.decode("utf-8", "replace")
    return hide(value if isinstance(value, str) else repr(value))


@lru_cache(maxsize=2048)
def _is_sensitive(name: str) -> bool:
    return _SECRET_NAME.search(_HUMP.sub("_", name)) is not None


def hide(text: str) -> str:
    """`text` with what looks like a secret masked."""
    if _NEEDED.search(text) is None:
        return text
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text

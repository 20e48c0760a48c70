"""Structured JSON logs on standard output, with the request's ids and without secrets."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from omnify_shared.context import current

_SECRET_NAME = re.compile(
    r"(^|[_-])(password|token|secret|authorization|cookie|api[_-]?key|pepper|credential)s?($|[_-])", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"(eyJ[\w-]{8,}\.[\w-]+\.[\w-]+)|((?i:bearer)\s+\S+)|(://[^/\s:@]+:)[^@\s]+@")
MASK = "***"
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
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


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
    """Hides secrets in a log event, by the name of a field or by the look of its value."""
    for name, value in event.items():
        event[name] = _masked(name, value)
    return event


def _masked(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, str):
        return _SECRET_VALUE.sub(lambda found: (found.group(3) or "") + MASK + ("@" if found.group(3) else ""), value)
    if isinstance(value, dict):
        return {key: _masked(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked("", item) for item in value]
    return value

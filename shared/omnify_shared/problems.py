"""Errors as `application/problem+json` (RFC 9457).

Problem
├── BadRequest 400   ├── Unauthorized 401   ├── Forbidden 403   ├── NotFound 404   ├── Conflict 409
├── PayloadTooLarge 413   ├── UnsupportedMediaType 415   ├── Unprocessable 422   ├── TooManyRequests 429
└── Unavailable 503
A service subclasses the nearest one and sets `type` to a stable slug.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import JsonValue
from pydantic_core import PydanticSerializationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from omnify_shared.context import current

log = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_ERRORS = 20  # of one payload in an answer; the caller chooses how many there are
MAX_TEXT = 200  # characters of a field's name or a reason, which may repeat what the caller sent
TYPE_BASE = "https://omnify.dev/problems/"


class Problem(Exception):
    """An error with a status, a stable type and a text for the caller.

    `detail` says what was wrong and where; `extensions` are extra members of the document. Never put secrets in it.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, headers: Mapping[str, str] | None = None, **extensions: JsonValue) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = extensions

    def document(self) -> dict[str, JsonValue]:
        """The RFC 9457 members plus the extensions and the request id."""
        return problem_document(self.status, self.type, self.title, self.detail, **self.extensions)


class BadRequest(Problem):
    status, type, title = 400, "bad-request", "Bad request"


class Unauthorized(Problem):
    status, type, title = 401, "unauthorized", "Authentication required"

    def __init__(self, detail: str, **extensions: JsonValue) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"}, **extensions)


class Forbidden(Problem):
    status, type, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, type, title = 404, "not-found", "Not found"


class Conflict(Problem):
    status, type, title = 409, "conflict", "Conflict"


class PayloadTooLarge(Problem):
    status, type, title = 413, "payload-too-large", "Payload too large"


class BodyTooLong(HTTPException):
    """A body that turned out too long while it was read; FastAPI's body reader lets only its own kind through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body may have at most {limit} bytes")
        self.limit = limit


class UnsupportedMediaType(Problem):
    status, type, title = 415, "unsupported-media-type", "Unsupported media type"


class Unprocessable(Problem):
    status, type, title = 422, "invalid-payload", "The payload is not valid"


class TooManyRequests(Problem):
    status, type, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, *, retry_after: float, **extensions: JsonValue) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, round(retry_after)))}, **extensions)


class Unavailable(Problem):
    status, type, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after: float = 1, **extensions: JsonValue) -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, round(retry_after)))}, **extensions)


def problem_document(status: int, type_: str, title: str, detail: str, **extensions: JsonValue) -> dict[str, JsonValue]:
    """A problem as a JSON object; `type_` is a slug below the project's problem pages."""
    known: dict[str, JsonValue] = {"type": TYPE_BASE + type_, "title": title, "status": status, "detail": detail}
    return known | {"request_id": current().request_id} | extensions


def problem_response(problem: Problem) -> Response:
    """The HTTP answer for a problem."""
    return _answer(problem.document(), problem.status, problem.headers)


def _answer(document: dict[str, JsonValue], status: int, headers: Mapping[str, str] | None) -> Response:
    body = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Response(body, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turns every error of an app into a problem, so that no caller sees a bare 500 text or an exception's message."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_crash)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - narrows the handler's type
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request failed", problem=error.type, detail=error.detail)
    return problem_response(error)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    slug, title = _name_of(error.status_code)
    extensions: dict[str, JsonValue] = {"limit_bytes": error.limit} if isinstance(error, BodyTooLong) else {}
    document = problem_document(error.status_code, slug, title, str(error.detail), **extensions)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _methods_at(request)
    return _answer(document, error.status_code, headers)


def _methods_at(request: Request) -> str:
    """The methods that a path has (RFC 9110 §10.2.1), of all its routes; Starlette names those of the first one."""
    served = (
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    )
    return ", ".join(served)


def _name_of(status: int) -> tuple[str, str]:
    """Type and title for an HTTP status; the standard library's phrases change with its versions, ours don't."""
    for known in (BadRequest, Unauthorized, Forbidden, NotFound, PayloadTooLarge, UnsupportedMediaType, Unprocessable):
        if known.status == status:
            return known.type, known.title
    phrase = HTTPStatus(status).phrase
    return phrase.lower().replace(" ", "-").replace("'", ""), phrase


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = error.errors()
    errors: list[JsonValue] = [_field_error(item) for item in found[:MAX_ERRORS]]
    detail = "; ".join(f"{item['field']}: {item['reason']}" for item in errors[:3] if isinstance(item, dict))
    more: dict[str, JsonValue] = {"more_errors": len(found) - MAX_ERRORS} if len(found) > MAX_ERRORS else {}
    extensions: dict[str, JsonValue] = {"errors": errors, **more}
    return problem_response(Unprocessable(detail or "the payload is not valid", headers=None, **extensions))


def _field_error(item: Any) -> dict[str, JsonValue]:
    place, *path = [str(part) for part in item["loc"]] or ["body"]
    return {"in": place, "field": (".".join(path) or place)[:MAX_TEXT], "reason": str(item["msg"])[:MAX_TEXT]}


async def _on_crash(_: Request, error: Exception) -> Response:
    return crash_response(error)


def crash_response(error: Exception) -> Response:
    """The answer to a defect: logged here, and nothing of it told to the caller.

    Half a surrogate pair is the caller's error: it comes in as a JSON escape and nothing can be stored or sent with it.
    """
    if isinstance(error, UnicodeEncodeError | PydanticSerializationError) and "surrogates not allowed" in str(error):
        return problem_response(Unprocessable("a text holds half a surrogate pair (\\ud800 to \\udfff)"))
    log.error("unhandled error", exc_info=error)
    return problem_response(Problem("An unexpected error happened; it was logged under the request id."))

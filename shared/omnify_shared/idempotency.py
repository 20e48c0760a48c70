"""`Idempotency-Key` for POSTs that create (IETF draft-ietf-httpapi-idempotency-key-header-07).

Opt in with `APIRouter(route_class=IdempotentRoute)`. A repeated request with the same key gets the first one's answer
for 24 h; the same key with another body is refused (422), and one whose first request still runs too (409). Answers of
500 and above, and those that ask to come later, are not kept: such a request may be tried again. Never use it on a
route that answers with secrets.
"""

import base64
import hashlib
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Literal

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Documents, Emit
from omnify_shared.faults import point, reach
from omnify_shared.identity import bearer_token
from omnify_shared.problems import BadRequest, Conflict, Problem, Unprocessable, problem_response
from omnify_shared.state import StateStore

BEGUN = point("idempotency.request.begun")
WORKED = point("idempotency.request.worked")
KEPT = point("idempotency.request.kept")

KEEP = timedelta(hours=24)
MAX_KEY = 255  # characters
MAX_KEPT_BODY = 256 * 1024  # bytes
TRY_LATER = frozenset({408, 425, 429})
KEPT_HEADERS = ("location", "content-location", "etag", "link", "www-authenticate")

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


class _Attempt(BaseModel):
    status: Literal["running", "done"]
    fingerprint: str
    started_at: float
    code: int = 0
    body: str = ""
    media_type: str | None = None
    headers: dict[str, str] = {}


class KeyReused(Unprocessable):
    type, title = "idempotency-key-reused", "The idempotency key belongs to another request"


class StillRunning(Conflict):
    type, title = "request-still-running", "The first request with this key is still running"


class Idempotency:
    """The kept answers of one app; a request that never ended counts as dead after `lease`."""

    def __init__(self, state: StateStore, lease: timedelta) -> None:
        self._attempts = Documents(state, "idempotency", _Attempt, ttl=KEEP)
        self._lease = lease.total_seconds()

    async def run(
        self, scope: str, key: str, fingerprint: str, work: Callable[[], Coroutine[Any, Any, Response]]
    ) -> Response:
        """The kept answer for `key` in `scope`, or the answer of `work`, which is then kept."""
        digest = hashlib.sha256(f"{scope}\n{key}".encode()).hexdigest()
        fresh = _Attempt(status="running", fingerprint=fingerprint, started_at=clock.now().timestamp())
        try:
            await self._attempts.create(digest, value=fresh)
        except AlreadyExists:
            kept = (await self._attempts.upsert(digest, initial=lambda: fresh, change=self._take_over(fresh))).value
            if kept.status == "done":
                return _answer(kept)
        reach(BEGUN)
        try:
            response = await work()
        except Problem as problem:
            response = problem_response(problem)
        except BaseException:
            await self._attempts.delete(digest)
            raise
        reach(WORKED)
        await self._keep(digest, fresh, response)
        reach(KEPT)
        return response

    def _take_over(self, fresh: _Attempt) -> Callable[[_Attempt, Emit], _Attempt]:
        def decide(kept: _Attempt, _: Emit) -> _Attempt:
            if kept.fingerprint != fresh.fingerprint:
                raise KeyReused("Idempotency-Key was used before with another request")
            if kept.status == "running" and fresh.started_at - kept.started_at < self._lease:
                raise StillRunning("the first request with this Idempotency-Key has not ended yet")
            return kept if kept.status == "done" else fresh

        return decide

    async def _keep(self, digest: str, attempt: _Attempt, response: Response) -> None:
        body = bytes(response.body)
        if response.status_code >= 500 or response.status_code in TRY_LATER or len(body) > MAX_KEPT_BODY:
            await self._attempts.delete(digest)
            return
        done = attempt.model_copy(
            update={
                "status": "done",
                "code": response.status_code,
                "body": base64.b64encode(body).decode(),
                "media_type": response.media_type,
                "headers": {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers},
            }
        )
        await self._attempts.upsert(digest, initial=lambda: done, change=lambda _, __: done)


def _answer(kept: _Attempt) -> Response:
    body = base64.b64decode(kept.body)
    return Response(
        body, kept.code, headers=kept.headers | {"Idempotency-Replayed": "true"}, media_type=kept.media_type
    )


class IdempotentRoute(APIRoute):
    """A route whose POSTs honour `Idempotency-Key`, per caller."""

    def get_route_handler(self) -> Endpoint:
        """Wraps FastAPI's handler; without the header nothing is added to it."""
        handle = super().get_route_handler()

        async def idempotent(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None or request.method != "POST":
                return await handle(request)
            if not 0 < len(key) <= MAX_KEY:
                raise BadRequest(f"Idempotency-Key: 1 to {MAX_KEY} characters")
            body = hashlib.sha256(await request.body()).hexdigest()
            scope = f"{await _caller(request)} {request.url.path}"
            kept: Idempotency = request.app.state.platform.idempotency
            return await kept.run(scope, key, f"{request.url.query} {body}", lambda: handle(request))

        return idempotent


async def _caller(request: Request) -> str:
    if "authorization" not in request.headers:
        return "anonymous"
    principal = await request.app.state.platform.identity.verify(bearer_token(request))
    return f"{principal.organization_id}/{principal.user_id}"

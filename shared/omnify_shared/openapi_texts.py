"""What an OpenAPI document of ours says beside the routes: how to reach a service, limits, errors, tokens."""

from typing import Any

from omnify_shared.identity import AUDIENCE, ISSUER, LEEWAY, OWN_CLIENT, TOKEN_TYPE
from omnify_shared.jwks import ALGORITHM, JWKS, JWKS_MAX_AGE
from omnify_shared.problems import MEDIA_TYPE, TYPE_BASE

Document = dict[str, Any]
_TEXT = {"type": "string"}
_INFO = """Call it through your own Dapr sidecar, or below `/api/` through the gateway.

- Through a sidecar, send the header `dapr-api-token` when the sidecar asks for one (`DAPR_API_TOKEN`). An answer that
  is neither the service's nor a problem comes from the sidecar itself: JSON with `errorCode` and `message`.
- Bodies are JSON in UTF-8 (`content-type: application/json`) unless a route says otherwise, and have at most {limit}
  bytes; more is a 413. Unknown fields are refused (422).
- Answers may gain fields: ignore those that you don't know.
- `X-Request-Id` may be sent (printable ASCII, up to 128 characters) and comes back; `traceparent` (W3C Trace Context)
  is followed. Quote the request id when you ask for help.
- After 429 and 503 wait for `Retry-After` seconds and ask again; 502 and 504 may pass by themselves. Other refusals
  stay the same until the request changes.
"""
_SERVERS: tuple[Document, ...] = (
    {
        "url": "http://127.0.0.1:{daprHttpPort}/v1.0/invoke/%s/method",
        "description": "Through your own sidecar (Dapr service invocation)",
        "variables": {"daprHttpPort": {"default": "3500", "description": "`DAPR_HTTP_PORT` of your sidecar"}},
    },
    {
        "url": "{gateway}",
        "description": "The public door: paths below `/api/` only",
        "variables": {"gateway": {"default": "http://127.0.0.1:8000", "description": "Where the platform is reached"}},
    },
)
_FIELD_ERROR = {
    "type": "object",
    "properties": {
        "in": {**_TEXT, "description": "Where it was: `body`, `query`, `path` or `header`."},
        "field": {**_TEXT, "description": "The path within it, with dots: `options.columns.amount`."},
        "reason": _TEXT,
    },
}
PROBLEM: Document = {
    "title": "Problem",
    "description": "An error (RFC 9457). `type` is stable, see `docs/contracts/problems.md`; `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "request_id": {**_TEXT, "description": "The same as the header `X-Request-Id`."},
        "errors": {"type": "array", "items": _FIELD_ERROR, "description": "With 422: what is wrong, field by field."},
    },
    "examples": [
        {
            "type": f"{TYPE_BASE}invalid-payload",
            "title": "The payload is not valid",
            "status": 422,
            "detail": "email: Field required",
            "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
            "errors": [{"in": "body", "field": "email", "reason": "Field required"}],
        }
    ],
}
PROBLEM_ANSWER: Document = {
    "description": "A problem",
    "headers": {
        "X-Request-Id": {"description": "Names this request in the logs.", "schema": _TEXT},
        "Retry-After": {"description": "Seconds to wait; with 429 and 503.", "schema": {"type": "integer"}},
        "WWW-Authenticate": {"description": "`Bearer`; with 401.", "schema": _TEXT},
    },
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
TOKEN_SCHEME: Document = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": (
        f"An access token (RFC 9068) from `POST /api/auth/login` or `/refresh`. To check one yourself: header `typ` is "
        f"`{TOKEN_TYPE}` and `alg` {ALGORITHM}; the key is the one of its `kid` among auth's `GET {JWKS.path}`, which "
        f"may be kept for {JWKS_MAX_AGE:g} s and is fetched again for an unknown `kid`; `iss` is `{ISSUER}`, `aud` is "
        f"`{AUDIENCE}`, `exp` lies ahead (allow {LEEWAY} s of clock difference). Once an event "
        "`omnify.auth.session.revoked.v1` names its `sid`, refuse it. One whose `client_id` is not "
        f"`{OWN_CLIENT}` was given to an app or an API key: it may do only what its `scope` names, within its roles; "
        "in an app's own name (`sub` is `client_id`) just what `scope` names. What is in it: "
        "`docs/contracts/access-token.schema.json`."
    ),
}


def info(limit: int) -> str:
    """What to know before the first call; `limit` is the size of a body in bytes."""
    return _INFO.format(limit=limit)


def servers(app_id: str) -> list[Document]:
    """Where an app answers."""
    if app_id == "gateway":
        return [_SERVERS[1] | {"description": "The public door"}]
    return [server | {"url": server["url"].replace("%s", app_id)} for server in _SERVERS]

"""Which path prefix belongs to which app-id, with its limits. Plain data: a new service is a new line."""

from collections.abc import Iterable
from dataclasses import dataclass

MiB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """`body`: largest request body in bytes. `seconds`: from the request's first byte to the answer's head."""

    body: int = 1 * MiB
    seconds: float = 30


@dataclass(frozen=True, slots=True)
class Route:
    """All paths at or below `prefix` go to `app_id`; a longer prefix only changes the limits of the same app.

    `cookies` is for pages of ours alone: an API takes tokens, and whoever needs no cookie gets none.
    """

    prefix: str
    app_id: str
    limits: Limits = Limits()
    cookies: bool = False


ROUTES = (
    Route("/.well-known/jwks.json", "auth"),
    Route("/.well-known/oauth-authorization-server", "auth"),
    Route("/.well-known/openid-configuration", "auth"),
    Route("/oauth/authorize", "auth", cookies=True),
    Route("/oauth/introspect", "auth"),
    Route("/oauth/logout", "auth", cookies=True),
    Route("/oauth/revoke", "auth"),
    Route("/oauth/token", "auth"),
    Route("/oauth/userinfo", "auth"),
    Route("/api/oauth", "auth"),
    Route("/api/api-keys", "auth"),
    Route("/api/audit", "auth"),
    Route("/api/auth", "auth"),
    Route("/api/legal", "auth"),
    Route("/api/mfa", "auth"),
    Route("/api/organizations", "auth"),
    Route("/api/rbac", "auth"),
    Route("/api/sessions", "auth"),
    Route("/api/integrations", "integrations"),
    Route("/api/agentkit", "agentkit"),
    Route("/api/workflows", "agentkit"),
    Route("/api/analytics", "analytics"),
    Route("/api/analytics/imports", "analytics", Limits(body=64 * MiB, seconds=300)),
    Route("/api/brain", "analytics"),
    Route("/api/client-onboarding", "onboarding"),
    Route("/api/onboarding", "onboarding"),
    Route("/api/email", "email"),
    Route("/api/files", "files"),
    Route("/api/files/uploads", "files", Limits(body=100 * MiB, seconds=300)),
    Route("/api/webhooks", "webhooks"),
)

MONOLITH_LIMITS = Limits(body=16 * MiB, seconds=60)


class Table:
    """Finds the longest prefix that covers a path; a prefix ends where a segment ends."""

    def __init__(self, routes: Iterable[Route] = ROUTES) -> None:
        self._by_start: dict[bytes, list[Route]] = {}
        for route in sorted(routes, key=lambda route: -len(route.prefix)):
            self._by_start.setdefault(start_of(route.prefix.encode()), []).append(route)

    def find(self, path: bytes) -> Route | None:
        """`path` is the raw path of a request, already checked by `paths.check`."""
        for route in self._by_start.get(start_of(path), ()):
            prefix = route.prefix.encode()
            if path == prefix or path.startswith(prefix + b"/"):
                return route
        return None

    @property
    def prefixes(self) -> dict[str, tuple[str, ...]]:
        """The public prefixes of each app-id."""
        routes = [route for group in self._by_start.values() for route in group]
        return {app: tuple(sorted(r.prefix for r in routes if r.app_id == app)) for app in {r.app_id for r in routes}}


def start_of(path: bytes) -> bytes:
    """The first two segments, `/api/auth` of `/api/auth/me`: no prefix is shorter, so it serves as a hash key."""
    second = path.find(b"/", 1)
    end = path.find(b"/", second + 1) if second > 0 else -1
    return path if end < 0 else path[:end]

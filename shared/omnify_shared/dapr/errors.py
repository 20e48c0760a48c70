"""Errors of the sidecar, and which of them may be tried again.

SidecarError                 the sidecar refused or failed; a 503 problem when it reaches a caller
├── SidecarUnavailable       no sidecar, no answer in time, or its backing store or broker is down: try again
├── PeerUnavailable          the called app or its sidecar is down (503)
├── PeerTimeout              the called app did not answer in time (504)
└── MissingSecret            the secret store has no such secret
StateConflict                not a failure of the sidecar: somebody else wrote first
├── AlreadyExists            a create-only write found the key taken
└── Stale                    the ETag is not the stored one
"""

from omnify_shared.problems import Problem, Unavailable


class SidecarError(Unavailable):
    """The sidecar refused or failed a call; `code` is the gRPC status name where there is one."""

    type, title = "sidecar-error", "A platform service failed"
    code = ""


class SidecarUnavailable(SidecarError):
    """The sidecar, or what stands behind it, can't be reached now; the call may be tried again."""

    type, title = "sidecar-unavailable", "A platform service is unavailable"


class PeerUnavailable(SidecarError):
    """The called service, or its sidecar, is down."""

    type, title = "service-unavailable", "A service is unavailable"


class PeerTimeout(SidecarError):
    """The called service did not answer in time."""

    status, type, title = 504, "service-timeout", "A service did not answer in time"


class MissingSecret(SidecarError):
    """The secret store has no such secret, or this app may not read it."""

    type, title = "missing-secret", "A secret is not configured"


class StateConflict(Exception):
    """Somebody else wrote first."""


class AlreadyExists(StateConflict):
    """A create-only write found the key taken."""


class Stale(StateConflict):
    """The ETag given is not the one that is stored."""


class Missing(LookupError):
    """The document to change does not exist."""


class Contended(Problem):
    """A document changed under every one of the bounded tries; the caller may try again."""

    status, type, title = 503, "contended", "Too many simultaneous changes"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"Retry-After": "1"})

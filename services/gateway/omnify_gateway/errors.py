"""What the gateway itself answers with, as problems (RFC 9457); a service's own problems pass through unchanged."""

import re

from omnify_shared.problems import BadRequest, NotFound, PayloadTooLarge, Problem, Unavailable


class MalformedPath(BadRequest):
    type, title = "malformed-path", "The path is malformed"


class UnknownPath(NotFound):
    type, title = "unknown-path", "No service answers at this path"


class RequestTimeout(Problem):
    status, type, title = 408, "request-timeout", "The request was sent too slowly"


class BodyTooLarge(PayloadTooLarge):
    pass


class HeadersTooLarge(Problem):
    status, type, title = 431, "headers-too-large", "The request's headers are too large"


class MethodRefused(Problem):
    status, type, title = 405, "method-not-allowed", "Method not allowed"


class BadGateway(Problem):
    status, type, title = 502, "bad-gateway", "The service broke off"


class ServiceUnavailable(Unavailable):
    type, title = "service-unavailable", "The service is not available"


class GatewayTimeout(Problem):
    status, type, title = 504, "gateway-timeout", "The service took too long"


_TOO_LARGE = re.compile(r"stream too large|body too large|larger than max")
_TIMEOUT = re.compile(r"DeadlineExceeded|deadline exceeded|[Tt]imeout|timed out")
_BROKEN_OFF = re.compile(r"\bEOF\b|connection reset|broken pipe|malformed HTTP|server closed")


def sidecar_problem(message: str, app_id: str) -> Problem:
    """Turns the text of daprd's ERR_DIRECT_INVOKE, which is all it tells, into the right status.

    Names not found, refused connections and unhealthy apps all mean "not there now": 503.
    """
    if _TOO_LARGE.search(message):
        return BodyTooLarge("The request body is larger than the platform carries.")
    if _TIMEOUT.search(message):
        return GatewayTimeout(f"The service '{app_id}' did not answer in time.")
    if _BROKEN_OFF.search(message):
        return BadGateway(f"The service '{app_id}' broke the connection off.")
    return ServiceUnavailable(f"The service '{app_id}' is not available now; please try again.", retry_after=2)

"""Problems of the webhooks service.

Problem
├── NotFound       UnknownEndpoint 404, UnknownDelivery 404, UnknownConnection 404, UnknownReceipt 404
├── Conflict       TooManyEndpoints 409, EndpointDisabled 409
├── Unprocessable  UnsafeTarget 422, UnknownEventType 422, UnusableSecret 422
└── SignatureRefused 401   one answer for an unknown connection and a wrong signature
"""

from omnify_shared.problems import Conflict, NotFound, Problem, Unprocessable


class UnknownEndpoint(NotFound):
    type, title = "unknown-endpoint", "No such endpoint"


class UnknownDelivery(NotFound):
    type, title = "unknown-delivery", "No such delivery"


class UnknownConnection(NotFound):
    type, title = "unknown-connection", "No such connection"


class UnknownReceipt(NotFound):
    type, title = "unknown-receipt", "No such received event"


class TooMany(Conflict):
    type, title = "too-many", "There are as many as there may be"


class EndpointOff(Conflict):
    type, title = "endpoint-disabled", "The endpoint is disabled"


class UnsafeTarget(Unprocessable):
    """Its text says why; it names no address that was found."""

    type, title = "unsafe-target", "Webhooks can't go there"


class UnknownEventType(Unprocessable):
    type, title = "unknown-event-type", "No such event type"


class UnusableSecret(Unprocessable):
    type, title = "unusable-secret", "The secret can't be used"


class SignatureRefused(Problem):
    """One answer for every reason: whoever guesses learns nothing."""

    status, type, title = 401, "signature-refused", "The signature is not right"

    def __init__(self) -> None:
        super().__init__("no such connection, or not signed with its secret, or not now")

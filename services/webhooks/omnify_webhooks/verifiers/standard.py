"""Whoever signs as Standard Webhooks has it: `webhook-id`, `-timestamp`, `-signature`, secrets `whsec_…`."""

import hmac
from collections.abc import Mapping
from typing import ClassVar

from omnify_webhooks import signing
from omnify_webhooks.verifiers.base import Facts, Incoming, Options, Refused, member, named, number


class Standard:
    """The generic one. Several signatures may be given; one has to fit."""

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def usable(self, secret: str) -> None:
        """See Verifier."""
        signing.parsed(secret)

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        stamp, name = number(incoming.header("webhook-timestamp")), incoming.header("webhook-id")
        wanted = signing.signature(signing.parsed(secret), name, stamp, incoming.body).encode()
        given = incoming.header("webhook-signature").split(" ")
        fits = [hmac.compare_digest(one.encode(errors="replace"), wanted) for one in given]
        if not any(fits):
            raise Refused("another signature")
        incoming.check_time(stamp)

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        name = incoming.header("webhook-id")
        return Facts(named(member(incoming.json(), "type")), named(name, "") or None)

"""Providers that sign with HMAC-SHA256 under a shared secret."""

import hmac
from collections.abc import Mapping
from typing import ClassVar

from omnify_webhooks.verifiers.base import (
    Facts,
    Incoming,
    Options,
    Refused,
    SharedSecret,
    common,
    digest,
    member,
    moment,
    named,
    number,
    pairs,
    same_base64,
    same_hex,
)


class Stripe(SharedSecret):
    """`Stripe-Signature: t=…,v1=…`: hex over `t.body`; several `v1` while a secret is rolled (Stripe's SDK)."""

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        found = pairs(incoming.header("stripe-signature"))
        stamps = [value for name, value in found if name == "t"]
        if len(stamps) != 1:
            raise Refused("not one timestamp")
        wanted = digest(secret, stamps[0].encode(), b".", incoming.body)
        # All are compared, so that the time tells nothing about which of them fits.
        fits = [same_hex(value, wanted) for name, value in found if name == "v1"]
        if not any(fits):
            raise Refused("another signature")
        incoming.check_time(number(stamps[0]))

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        body = incoming.json()
        return Facts(named(member(body, "type")), named(member(body, "id"), "") or None)


class Shopify(SharedSecret):
    """`X-Shopify-Hmac-Sha256`: base64 over the body. It signs no time, and no header: neither topic nor id.

    So a recorded request can come again under another id; `dedupe: body` refuses that, and takes two real events with
    the same body for one.
    """

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"dedupe": ("id", "body")}

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        if not same_base64(incoming.header("x-shopify-hmac-sha256"), digest(secret, incoming.body)):
            raise Refused("another signature")

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        by_id = options["dedupe"] == "id"
        event_id = named(incoming.headers.get("x-shopify-webhook-id"), "") if by_id else ""
        return Facts(named(incoming.headers.get("x-shopify-topic")), event_id or None)


class HubSpot(SharedSecret):
    """`X-HubSpot-Signature-v3`: base64 over method + URI + body + `X-HubSpot-Request-Timestamp` (milliseconds).

    The URI is the one that HubSpot was given; where that is not the address of the gateway, it is an option.
    """

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"public_url": ()}

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        stamp = incoming.header("x-hubspot-request-timestamp")
        url = str(options.get("public_url") or incoming.url)
        wanted = digest(secret, incoming.method.encode(), url.encode(), incoming.body, stamp.encode())
        if not same_base64(incoming.header("x-hubspot-signature-v3"), wanted):
            raise Refused("another signature")
        incoming.check_time(number(stamp) / 1000)

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """A request holds several events, which have ids of their own: the body stands for them."""
        return Facts(common(incoming.json(), "subscriptionType"), None)


class Klaviyo(SharedSecret):
    """`Klaviyo-Signature`: hex over the body and `Klaviyo-Timestamp`.

    Sources differ whether the timestamp is part of it: `signed: body` is for where it is not, and then the time proves
    nothing. How it is written is not certain either; seconds, milliseconds, ISO 8601 and HTTP's dates are read.
    """

    options: ClassVar[Mapping[str, tuple[str, ...]]] = {"signed": ("body+timestamp", "body")}
    shortest = 16

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        stamp = incoming.header("klaviyo-timestamp")
        parts = (incoming.body, stamp.encode()) if options["signed"] == "body+timestamp" else (incoming.body,)
        if not same_hex(incoming.header("klaviyo-signature"), digest(secret, *parts)):
            raise Refused("another signature")
        incoming.check_time(moment(stamp))

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """`Klaviyo-Webhook-Id` names the webhook and not the event, so the body stands for it."""
        body = incoming.json()
        return Facts(common(member(body, "data"), "topic") if member(body, "data") else "unknown", None)


class Meta(SharedSecret):
    """`X-Hub-Signature-256: sha256=…`: hex over the body with the app's secret. It signs no time."""

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        scheme, _, given = incoming.header("x-hub-signature-256").partition("=")
        fits = same_hex(given, digest(secret, incoming.body))
        if not (fits and hmac.compare_digest(scheme.encode(errors="replace"), b"sha256")):
            raise Refused("another signature")

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        return Facts(named(member(incoming.json(), "object")), None)


class TikTok(SharedSecret):
    """`TikTok-Signature: t=…,s=…`: hex over `t.body` with the app's secret. Known from one source alone."""

    def verify(self, incoming: Incoming, secret: str, options: Options) -> None:
        """See Verifier."""
        found = pairs(incoming.header("tiktok-signature"))
        stamps = [value for name, value in found if name == "t"]
        given = [value for name, value in found if name == "s"]
        if len(stamps) != 1 or len(given) != 1:
            raise Refused("not one timestamp and one signature")
        if not same_hex(given[0], digest(secret, stamps[0].encode(), b".", incoming.body)):
            raise Refused("another signature")
        incoming.check_time(number(stamps[0]))

    def facts(self, incoming: Incoming, options: Options) -> Facts:
        """See Verifier."""
        return Facts(named(member(incoming.json(), "event")), None)

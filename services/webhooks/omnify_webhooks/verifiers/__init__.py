"""How other platforms sign what they send, one verifier per provider.

A verifier takes one request and one secret, and says what was signed or raises `Refused`. All compare in constant time
and on the bytes as they came. What a vendor's documents leave open is an option of the connection.
"""

from omnify_webhooks.verifiers.base import Facts, Incoming, Refused, Verifier
from omnify_webhooks.verifiers.hmacs import HubSpot, Klaviyo, Meta, Shopify, Stripe, TikTok
from omnify_webhooks.verifiers.keys import GoHighLevel, SendGrid
from omnify_webhooks.verifiers.standard import Standard

VERIFIERS: dict[str, Verifier] = {
    "gohighlevel": GoHighLevel(),
    "hubspot": HubSpot(),
    "klaviyo": Klaviyo(),
    "meta": Meta(),
    "sendgrid": SendGrid(),
    "shopify": Shopify(),
    "standard": Standard(),
    "stripe": Stripe(),
    "tiktok": TikTok(),
}

__all__ = ["VERIFIERS", "Facts", "Incoming", "Refused", "Verifier"]

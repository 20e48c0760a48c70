"""Erasures of users and organisations: what is kept of one until, and after, everything is gone."""

from datetime import datetime
from typing import Literal

from omnify_auth.records import Record

OWN = "auth"
SERVICES = ("analytics", "email", "files", "webhooks")
"""The other services that hold data of people; each gives a receipt (`erasure_receipts`) and its part of exports."""


class Receipt(Record):
    """A service has deleted what it held: how much of what."""

    service: str
    counts: dict[str, int]
    completed_at: datetime


class Erasure(Record):
    """An erasure of a user, or of an organisation (its id is the organisation's). It names nobody but by id.

    `digest` is SHA-256 (hex) of the token that its status is asked with, `pseudonym` what the proof of consents is kept
    under, `letter_id` the mail that tells the end, `organizations` those that are deleted with their only member.
    """

    erasure_id: str
    user_id: str | None
    organization_id: str | None
    services: tuple[str, ...]
    receipts: tuple[Receipt, ...]
    organizations: tuple[str, ...]
    digest: str | None
    pseudonym: str | None
    letter_id: str | None
    asked_at: datetime
    begun_at: datetime | None
    reminded_at: datetime | None
    ended_at: datetime | None

    @property
    def missing(self) -> tuple[str, ...]:
        """The services whose receipts are not in."""
        given = {receipt.service for receipt in self.receipts}
        return tuple(service for service in self.services if service not in given)

    def with_receipt(self, receipt: Receipt) -> "Erasure":
        """With a receipt, the first of its service; the very same object when there is nothing to add."""
        if receipt.service not in self.missing:
            return self
        return self.model_copy(update={"receipts": (*self.receipts, receipt)})


class OpenErasures(Record):
    """The erasures that have not ended."""

    erasures: tuple[str, ...] = ()


class ConsentProof(Record):
    """That somebody accepted or withdrew a version of a legal document, without who."""

    consent_id: str
    action: Literal["accepted", "withdrawn"]
    document_type: str
    version: str
    sha256: str
    at: datetime


class ConsentProofs(Record):
    """The proofs under one pseudonym: a keyed digest of the address, of no use to who has not both key and address."""

    proofs: tuple[ConsentProof, ...] = ()

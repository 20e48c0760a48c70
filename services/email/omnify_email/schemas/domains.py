"""Sender domains and the records that they need."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from omnify_email.dns_checks import Wanted
from omnify_email.records import Check, SenderDomain
from omnify_email.schemas.types import Domain


class DomainIn(BaseModel):
    """A domain to send from, in lower case, in its ASCII form."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain


class RecordOut(BaseModel):
    """A record to set in the DNS, and how it stands."""

    check: str
    type: Literal["TXT", "CNAME"]
    name: str
    value: str
    status: Check


class DomainOut(BaseModel):
    """A sender domain. It may be used while `verified_at` is set."""

    domain_id: str
    domain: str
    verified_at: datetime | None
    checked_at: datetime | None
    created_at: datetime
    records: list[RecordOut]

    @classmethod
    def of(cls, domain: SenderDomain, records: list[Wanted]) -> "DomainOut":
        """From the record and what is to be set."""
        shown = [
            RecordOut(check=check, type=kind, name=name, value=value, status=domain.checks.get(check, "pending"))
            for check, kind, name, value in records
        ]
        return cls(
            domain_id=domain.domain_id,
            domain=domain.domain,
            verified_at=domain.verified_at,
            checked_at=domain.checked_at,
            created_at=domain.created_at,
            records=shown,
        )


class DomainsOut(BaseModel):
    """An organisation's sender domains."""

    domains: list[DomainOut]

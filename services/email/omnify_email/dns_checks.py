"""What has to stand in the DNS of a sender's domain, and whether it does.

Proof of ownership (TXT), DKIM (RFC 6376), SPF (RFC 7208), DMARC (RFC 7489), and the return path by which bounces come
back. SPF is checked as far as the include goes: that it stands in the domain's one SPF record.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from omnify_email.records import Check, SenderDomain
from omnify_email.settings import EmailSettings

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.rdata

PROOF_LABEL = "_omnify"
DMARC_DEFAULT = "v=DMARC1; p=none"
Wanted = tuple[str, Literal["TXT", "CNAME"], str, str]
"""A record to set: what it is for, its type, name and value."""


class Resolver(Protocol):
    """Answers of the DNS as texts; nothing for a name or a type that is not there."""

    async def txt(self, name: str) -> list[str]:
        """The TXT records, each put together. Raises TimeoutError, OSError."""

    async def cname(self, name: str) -> list[str]:
        """The CNAME's target, without its last dot. Raises TimeoutError, OSError."""


class DnsResolver:
    """The system's resolvers, or those that the settings name (`host` or `host:port`).

    The library is loaded with the first question: few replicas are ever asked one, and a cold start pays for it.
    """

    def __init__(self, servers: Sequence[str], timeout: float) -> None:
        self._servers = tuple(servers)
        self._timeout = timeout

    async def txt(self, name: str) -> list[str]:
        """See Resolver."""
        from dns.rdtypes.ANY.TXT import TXT

        found = [record for record in await self._ask(name, "TXT") if isinstance(record, TXT)]
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found]

    async def cname(self, name: str) -> list[str]:
        """See Resolver."""
        from dns.rdtypes.ANY.CNAME import CNAME

        found = [record for record in await self._ask(name, "CNAME") if isinstance(record, CNAME)]
        return [str(record.target).rstrip(".").lower() for record in found]

    async def _ask(self, name: str, kind: str) -> "list[dns.rdata.Rdata]":
        import dns.exception
        import dns.resolver

        try:
            answer = await self._resolver().resolve(name, kind, lifetime=self._timeout, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise OSError(type(error).__name__) from error
        return list(answer)

    def _resolver(self) -> "dns.asyncresolver.Resolver":
        import dns.asyncresolver
        import dns.nameserver

        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            places = [server.partition(":") for server in self._servers]
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, int(port or 53)) for host, _, port in places]
        return resolver


def records_of(domain: SenderDomain, settings: EmailSettings) -> list[Wanted]:
    """The records to set."""
    name = domain.domain
    return [
        ("proof", "TXT", f"{PROOF_LABEL}.{name}", f"omnify-proof={domain.proof}"),
        ("dkim", "TXT", f"{domain.selector}._domainkey.{name}", f"v=DKIM1; k=rsa; p={domain.public_key}"),
        ("spf", "TXT", name, f"v=spf1 include:{settings.spf_include} ~all"),
        ("dmarc", "TXT", f"_dmarc.{name}", DMARC_DEFAULT),
        ("return_path", "CNAME", f"bounces.{name}", settings.return_path_host),
    ]


async def checked(resolver: Resolver, domain: SenderDomain, settings: EmailSettings) -> dict[str, Check]:
    """How each record stands: `pending` where the DNS could not be asked or has nothing, `failed` where it differs."""
    records = records_of(domain, settings)
    found = await asyncio.gather(*(_standing(resolver, *record) for record in records))
    return {record[0]: check for record, check in zip(records, found, strict=True)}


async def _standing(resolver: Resolver, check: str, kind: str, name: str, value: str) -> Check:
    try:
        answers = await (resolver.cname(name) if kind == "CNAME" else resolver.txt(name))
    except OSError:
        return "pending"
    if not answers:
        return "pending"
    return "verified" if _fits(check, value, answers) else "failed"


def _fits(check: str, value: str, answers: list[str]) -> bool:
    if check == "spf":
        policies = [one.lower().split() for one in answers if one.lower().startswith("v=spf1")]
        return len(policies) == 1 and value.split()[1].lower() in policies[0]
    if check == "dmarc":
        found = [_tags(one) for one in answers if one.lower().replace(" ", "").startswith("v=dmarc1")]
        return len(found) == 1 and found[0].get("p") in {"none", "quarantine", "reject"}
    if check == "dkim":
        return any(_tags(one).get("p") == _tags(value)["p"] for one in answers)
    return value.lower() in [one.lower() for one in answers] if check == "return_path" else value in answers


def _tags(record: str) -> dict[str, str]:
    """The tags of a record `a=b; c=d`, white space left out."""
    pairs = (part.partition("=") for part in "".join(record.split()).split(";"))
    return {name.lower(): value for name, _, value in pairs if name}

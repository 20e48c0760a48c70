"""Domains that organisations send from: keys made here, records to set, and whether the DNS has them."""

import secrets

from omnify_email.dns_checks import Resolver, Wanted, checked, records_of
from omnify_email.errors import DomainNotVerified, DomainTaken, PermanentError, UnknownDomain
from omnify_email.keys import new_key_pair
from omnify_email.records import Sender, SenderDomain
from omnify_email.senders.mail import Signing
from omnify_email.settings import EmailSettings
from omnify_email.store import Store
from omnify_email.vault import Vault
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict

MOST = 20  # domains of one organisation


class Domains:
    """An organisation's sender domains."""

    def __init__(self, settings: EmailSettings, store: Store, vault: Vault, resolver: Resolver) -> None:
        self._settings = settings
        self._store = store
        self._vault = vault
        self._resolver = resolver

    async def create(self, organization_id: str, domain: str) -> SenderDomain:
        """A domain that is still to be verified. Raises DomainTaken, Conflict."""
        known = await self.listed(organization_id)
        if any(one.domain == domain for one in known):
            raise DomainTaken(f"{domain} is listed already")
        if len(known) >= MOST:
            raise Conflict(f"at most {MOST} sender domains")
        domain_id, (private, public) = new_id(), await new_key_pair()
        made = SenderDomain(
            domain_id=domain_id,
            organization_id=organization_id,
            domain=domain,
            selector=f"omnify-{secrets.token_hex(4)}",
            public_key=public,
            sealed=await self._vault.seal(private, _record(organization_id, domain_id)),
            proof=secrets.token_urlsafe(24),
            checks=dict.fromkeys(("proof", "dkim", "spf", "dmarc", "return_path"), "pending"),
            verified_at=None,
            checked_at=None,
            created_at=clock.now(),
        )
        await self._store.domain_list.add(organization_id, domain_id)
        return (await self._store.domains.create(organization_id, domain_id, value=made, fresh=True)).value

    async def listed(self, organization_id: str) -> list[SenderDomain]:
        """All of an organisation's domains, newest first."""
        page = await self._store.domain_list.list(organization_id, limit=200)
        ids = [(organization_id, entry.id) for entry in page.items]
        found = await self._store.domains.get_many(ids)
        return [found[one] for one in ids if one in found and not found[one].deleted]

    async def one(self, organization_id: str, domain_id: str) -> SenderDomain:
        """A domain of the organisation's. Raises UnknownDomain."""
        found = await self._store.domains.get(organization_id, domain_id)
        if found is None or found.deleted:
            raise UnknownDomain("no such sender domain")
        return found

    async def verify(self, organization_id: str, domain_id: str) -> SenderDomain:
        """Looks into the DNS. A domain that was verified and no longer is may not be used. Raises UnknownDomain."""
        domain = await self.one(organization_id, domain_id)
        checks = await checked(self._resolver, domain, self._settings)
        good = all(check == "verified" for check in checks.values())

        def change(found: SenderDomain, _: Emit) -> SenderDomain:
            now = clock.now()
            verified = (found.verified_at or now) if good else None
            return found.model_copy(update={"checks": checks, "verified_at": verified, "checked_at": now})

        return (await self._store.domains.update(organization_id, domain_id, change=change)).value

    async def delete(self, organization_id: str, domain_id: str) -> None:
        """Takes the domain away; mails that wait for it fail. Raises UnknownDomain."""
        await self.one(organization_id, domain_id)
        await self._store.domains.update(
            organization_id,
            domain_id,
            change=lambda found, _: found.model_copy(update={"deleted": True, "verified_at": None}),
        )

    async def sender(self, organization_id: str, address: str, name: str) -> Sender:
        """The sender that an organisation names. Raises DomainNotVerified."""
        wanted = address.rpartition("@")[2].lower()
        for one in await self.listed(organization_id):
            if one.domain == wanted and one.verified_at:
                return Sender(address=address, name=name, domain_id=one.domain_id)
        raise DomainNotVerified(f"{wanted} is not a verified domain of the organisation")

    async def signing(self, organization_id: str, domain_id: str) -> Signing:
        """With what to sign a mail from a domain. Raises PermanentError when it may no longer be used."""
        found = await self._store.domains.get(organization_id, domain_id)
        if found is None or found.verified_at is None:
            raise PermanentError("the sender's domain is no longer verified")
        return Signing(
            found.domain, found.selector, await self._vault.open(found.sealed, _record(organization_id, domain_id))
        )

    def records(self, domain: SenderDomain) -> list[Wanted]:
        """What to set."""
        return records_of(domain, self._settings)


def _record(organization_id: str, domain_id: str) -> str:
    return f"domain/{organization_id}/{domain_id}"

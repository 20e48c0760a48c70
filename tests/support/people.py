"""The people in the golden files: what they do, and how they stand when the release that they knew is replaced.

Ada has an account, sessions and orders. Bob holds a mail with a link that he has not followed. Carol registers while
the broker is down: her event waits in the outbox of a replica that was killed. Dora's mail waits for another try,
Erin's event lies among the dead letters, and an import of Ada's was left half-way. Fay signs in with two steps.
Hal changed a password and holds a link for another one. Kim, Lou and Mia share an organisation. Ned's
webhooks lead nowhere. Ada keeps files.
Nora erased her account.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.records import FileClaim, Import, Lease
from omnify_analytics.store import AnalyticsStore
from omnify_email.store import MailStore
from omnify_local.journey import Marketer, token_in
from omnify_shared import clock
from omnify_shared.events.deadletters import DeadLetters
from omnify_shared.events.inbox import Inbox
from omnify_shared.ids import new_id
from omnify_shared.indexes import Index
from omnify_shared.platform import Platform as Blocks
from omnify_shared.testing import Platform
from omnify_shared.testing.backing import Backing
from support.golden import beside, rows
from support.people_apps import with_apps
from support.people_email import leave_mails, with_mails
from support.people_files import leave_pages, with_files
from support.people_gone import with_endings
from support.people_grants import with_grants
from support.people_mfa import with_second_factors
from support.people_org import with_organizations
from support.people_webhooks import WEBHOOKS_FAIL, with_webhooks

_AGES = "P18250D"  # the releases to come must not find these sessions and links expired
LIVES_LONG = (
    {"OMNIFY_ENVIRONMENT": "development"}
    | {
        f"AUTH_{name}": _AGES
        for name in (
            "SESSION_OVERALL",
            "SESSION_IDLE",
            "VERIFICATION_TTL",
            "UNVERIFIED_TTL",
            "CHALLENGE_TTL",
            "MFA_GRACE",
            "RESET_TTL",
            "LETTER_TTL",
            "INVITATION_TTL",
        )
    }
    | WEBHOOKS_FAIL
    | {"AUTH_ERASURE_PATIENCE": "PT1S"}
)
PASSWORD = "seven quiet herons wade at dawn"
OPTIONS: dict[str, Any] = {
    "currency": "EUR",
    "columns": {"customer_id": "who", "ordered_at": "when", "amount": "paid", "order_id": "no", "quantity": "pieces"},
}
_HEAD = b"no,who,when,paid,pieces\n"
ORDERS = _HEAD + b"1,ann,2024-01-05,10.00,1\n2,ben,2024-01-05,7.50,3\n3,ann,2024-02-01,2.25,1\n4,x,someday,1,1\n"
LATER = _HEAD + b"5,cy,2024-02-10,100.00,2\n"
USELESS = _HEAD + b"6,dan,someday,1,1\n"


def address(name: str) -> str:
    return f"{name}@golden.example.com"


class People:
    """Lives on a platform; `known` is what the people keep for themselves."""

    def __init__(self, platform: Platform, backing: Backing) -> None:
        self.platform, self._backing = platform, backing
        self.known: dict[str, Any] = {"password": PASSWORD, "orders": ORDERS.decode(), "options": OPTIONS}
        self.ada = self._person("ada")

    def _person(self, name: str) -> Marketer:
        return Marketer(
            self.platform.url, address(name), PASSWORD, organization=f"{name.title()} & $ons", full_name=name.title()
        )

    def live(self) -> None:
        """Everything that goes through the front door."""
        self.ada.join(self.platform.inbox)
        self._import_orders()
        self._sessions()
        for name in ("bob", "dora", "erin"):
            self._person(name).register()
        self._resend(address("bob"))
        self._person("ada").register()
        mails = self.platform.inbox.wait_for(address("bob"), count=2)
        self.known["bob_token"] = token_in(mails[-1])
        for name in ("dora", "erin"):
            self.platform.inbox.wait_for(address(name))
        self._guess_wrong()
        self.known |= with_second_factors(self._person("fay"), self._person("gil"), self.platform.inbox)
        self._change_password(self._person("hal"))
        self._consent()
        self.known |= with_apps(self.ada) | with_grants(self.ada)
        self.known |= with_files(self.ada)
        kim, lou = self._person("kim"), self._person("lou")
        self.known |= with_mails(self.ada)
        self.known |= with_organizations(kim, lou, address("mia"), self.platform.inbox)
        self.known |= with_webhooks(self._person("ned"), self.platform.inbox)
        self.known |= with_endings(self._person("nora"), self._person("olga"), self.platform)

    def _consent(self) -> None:
        terms = {"document_type": "terms"}
        self.ada.ask("POST", "/api/legal/accept", 200, json=terms | {"version": "1.0"})
        self.ada.ask("POST", "/api/legal/withdraw", 200, json=terms)
        self.ada.ask("POST", "/api/legal/accept", 200, json=terms | {"version": "1.0"})

    def _change_password(self, hal: Marketer) -> None:
        hal.join(self.platform.inbox)
        changed = f"{PASSWORD} anew"
        hal.ask("POST", "/api/auth/change-password", 200, json={"current_password": PASSWORD, "new_password": changed})
        hal.ask("POST", "/api/auth/password-reset", 202, json={"email": hal.email})
        [mail] = self.platform.inbox.wait_for(hal.email, subject="Choose a new password")
        self.known["hal_reset_token"] = token_in(mail)

    def _import_orders(self) -> None:
        ada = self.ada
        self.known["import_id"] = ada.start_import(ORDERS, OPTIONS, "orders.csv")
        self.known["import"] = ada.wait_for_import(self.known["import_id"])
        failed = ada.start_import(USELESS, OPTIONS, "useless.csv")
        assert ada.wait_for_import(failed)["status"] == "failed"
        self.known["overview"] = ada.overview("2024-01-01", "2024-03-31")
        self.known["organization_id"] = ada.tokens["user"]["organization_id"]
        self.known["user_id"] = ada.tokens["user"]["user_id"]

    def _sessions(self) -> None:
        ended = self._person("ada")
        ended.log_in()
        self.known["ended_refresh_token"] = ended.tokens["refresh_token"]
        ended.log_out()
        token = {"refresh_token": ended.tokens["refresh_token"]}
        assert ended.http.post("/api/auth/refresh", json=token).status_code == 401
        self.known["spent_refresh_token"] = self.ada.tokens["refresh_token"]
        self.ada.refresh()
        self.known["refresh_token"] = self.ada.tokens["refresh_token"]
        self.known["session_id"] = self.ada.tokens["session_id"]

    def _resend(self, email: str) -> None:
        self.ada.http.post("/api/auth/verify-email/resend", json={"email": email}).raise_for_status()

    def _guess_wrong(self) -> None:
        for name in ("ada", "nobody"):
            body = {"email": address(name), "password": "not the password at all"}
            assert self.ada.http.post("/api/auth/login", json=body).status_code == 401

    async def leave_traces(self) -> None:
        """What a healthy platform shows too shortly to be caught: written by the services' own code beside them."""
        services = self.platform.services
        for name in ("analytics", "email", "files", "webhooks"):
            services[name].terminate()
        verifications = self._verifications()
        async with beside(services["analytics"].sidecar) as blocks:
            await self._leave_import(blocks)
        async with beside(services["email"].sidecar) as blocks:
            await leave_mails(blocks)
            await self._leave_mail(blocks, verifications[address("dora")])
            await self._leave_dead_letter(blocks, verifications[address("erin")])
            await _leave_answer(blocks)
        async with beside(services["webhooks"].sidecar) as blocks:
            for kind, summary in (("messages", {"to": []}), ("received", {"size": 0}), ("made-by", {})):
                pages = Index(blocks.state, kind, page_size=1)
                for number in range(2):
                    await pages.add("another-organization", str(number), type="t", at=0, **summary)
        async with beside(services["files"].sidecar) as blocks:
            await leave_pages(blocks)

    def _verifications(self) -> dict[str, str]:
        """The verification that each account waits for, as its document says."""
        found = [json.loads(data)["d"] for key, data in rows(self.platform.home, "auth") if key.startswith("user/")]
        return {user["email"]: user["verification_id"] for user in found}

    async def _leave_import(self, blocks: Blocks) -> None:
        organization_id, import_id = self.known["organization_id"], new_id()
        store = AnalyticsStore(blocks.state, blocks.outbox, facts_per_write=100)
        digest = hashlib.sha256(LATER).hexdigest()
        left = Import(
            import_id=import_id,
            organization_id=organization_id,
            created_by=self.known["user_id"],
            created_at=clock.now(),
            filename="later.csv",
            file=digest,
            chunks=1,
            options=ImportOptions.model_validate(OPTIONS),
            lease=Lease(owner=new_id(), until=clock.now()),
            attempts=1,
        )
        await store.put_chunk(import_id, 0, LATER)
        await store.imports.create(organization_id, import_id, value=left)
        await store.listed.add(organization_id, import_id)
        await store.add_open(organization_id, import_id)
        await store.claims.create(organization_id, digest, value=FileClaim(import_id=import_id))
        for kind in ("imports", "user-imports"):
            pages = Index(blocks.state, kind, page_size=1)
            for number in range(2):
                await pages.add("another-one", str(number))
        self.known["left_import_id"] = import_id

    async def _leave_mail(self, blocks: Blocks, verification_id: str) -> None:
        mails = MailStore(blocks.state)
        mail = await mails.take(new_id(), "verification", verification_id)
        await mails.postpone(mail, clock.now(), "the mail server is away")
        pages = Index(blocks.state, "mails-about", page_size=1)
        for number in range(2):
            await pages.add("another-user", str(number))
        self.known["waiting_mail"] = mail.event_id
        letter = await mails.take(new_id(), "password_reset", new_id())
        await mails.postpone(letter, clock.now(), "the mail server is away")

    async def _leave_dead_letter(self, blocks: Blocks, verification_id: str) -> None:
        event_id = new_id()
        event = {
            "specversion": "1.0", "id": event_id, "source": "auth", "type": "omnify.auth.verification.requested.v1",
            "subject": new_id(), "time": clock.now().isoformat(), "sequence": "9",
            "datacontenttype": "application/json",
            "data": {"user_id": new_id(), "organization_id": new_id(), "verification_id": verification_id},
        }  # fmt: skip
        inbox = Inbox(blocks.state)
        await inbox.begin("auth", event_id)
        await inbox.failed("auth", event_id, "PermanentError: auth: refused with 400")
        await DeadLetters(blocks.state, inbox).keep(event)
        pages = Index(blocks.state, "deadletter", page_size=1)
        for number in range(2):
            await pages.add("another-scope", str(number))
        self.known["dead_letter"] = f"auth:{event_id}"

    def lose_the_broker(self) -> None:
        """Carol registers while no event can leave, and auth dies before any could."""
        self._resend(address("nobody"))
        self._backing.redis.stop()
        self._person("carol").register()
        self.platform.services["auth"].kill()


async def _leave_answer(blocks: Blocks) -> None:
    async def work() -> Response:
        return Response(b'{"made": "once"}', 201, headers={"location": "/things/1"}, media_type="application/json")

    await blocks.idempotency.run("anonymous /things", "key-1", "request-1", work)
    await blocks.identity.revocations.add(new_id())
    await blocks.rate_limits.hit("golden", "key", limit=5, window=timedelta(days=1))

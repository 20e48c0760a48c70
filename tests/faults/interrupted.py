"""What people do while a service dies, journey by journey.

Each method starts a journey, has a service die at the point and gives back what to look at once everybody is up again:
the looking is left to the end, as an event of a dead process may take half a minute to be found.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx

from faults.ledger import Ledger
from faults.uploading import Uploading
from omnify_local.journey import Marketer, token_in
from omnify_shared.ids import new_id
from omnify_shared.testing import Platform
from support.sendgrid import PATH, batch, event

Check = Callable[[], None]
ROWS = 500
OPTIONS: dict[str, Any] = {
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
WRITTEN = ("auth.register.created", "outbox.event.written", "outbox.event.published", "outbox.event.cleared")
MAIL_WITHIN = 60.0  # seconds: an event's adoption, a mail's lease and its next try, on a busy machine
# What a token that was used, a session that has ended and a password that was replaced are answered.
SPENT, ENDED, WRONG = 400, 401, 403
STILL_RUNNING = 409  # what a request is answered whose first one may still be at work
GRACE = 9.0  # seconds; auth takes a spent refresh token for 10


def orders() -> tuple[bytes, str]:
    """An order file and its revenue."""
    rows = [(f"c{n % 37},2024-{n % 12 + 1:02}-{n % 28 + 1:02}", n % 90 + 1, n % 100) for n in range(ROWS)]
    lines = [f"{start},{euros}.{cents:02}" for start, euros, cents in rows]
    total = sum(euros * 100 + cents for _, euros, cents in rows)
    return "\n".join(["customer,day,amount", *lines]).encode(), f"{total // 100}.{total % 100:02}"


def sign_up(marketer: Marketer) -> httpx.Response:
    """A registration, whatever comes of it."""
    body = {
        "email": marketer.email,
        "password": marketer.password,
        "full_name": marketer.full_name,
        "organization_name": marketer.organization,
    }
    return marketer.http.post("/api/auth/register", json=body)


def write_to(marketer: Marketer, customer: str, key: str) -> httpx.Response:
    """A mail to a customer, whatever comes of it."""
    body = {
        "template": "notice",
        "values": {"headline": "News", "text": "Come and see."},
        "recipients": [{"email": customer}],
    }
    headers = {"authorization": f"Bearer {marketer.tokens['access_token']}", "idempotency-key": key}
    return marketer.http.post("/api/email/messages", json=body, headers=headers)


class Interrupted(Uploading):
    """The journeys. Every one acknowledges one thing, and finds it at the end."""

    def __init__(self, platform: Platform, ledger: Ledger) -> None:
        super().__init__(ledger, platform.services["files"])
        self.auth, self.email, self.analytics = (platform.services[name] for name in ("auth", "email", "analytics"))
        self._platform = platform
        self._marketers: list[Marketer] = []
        self._expected: list[str] = []  # who is to get a mail that may still be on its way

    def joined(self) -> Marketer:
        """Somebody new who is signed in."""
        return self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)

    def new_marketer(self) -> Marketer:
        """Somebody new."""
        self._marketers.append(Marketer(self._platform.url))
        return self._marketers[-1]

    def close(self) -> None:
        """Closes the connections."""
        for marketer in self._marketers:
            marketer.close()

    def registering(self, point: str) -> Check:
        """Auth dies while somebody registers: the address is not blocked, and one mail comes.

        Two where the registration was written and its caller's sidecar repeats it: a registration may be repeated, and
        each time a mail is asked for.
        """
        marketer = self.new_marketer()
        outcome = self.interrupted(self.auth, point, lambda: sign_up(marketer))
        if not outcome.ok and point not in WRITTEN:
            marketer.register()
        return self._joining(marketer, point, mails=2 if point in WRITTEN else 1)

    def _joining(self, marketer: Marketer, point: str, mails: int = 1) -> Check:
        """A registration was promised: its mail comes, once, and the account works."""
        self.ledger.acknowledge(point)
        self._expected.append(marketer.email)

        def check() -> None:
            marketer.verify(token_in(self._platform.inbox.wait_for(marketer.email, timeout=MAIL_WITHIN)[-1]))
            marketer.log_in()
            self.ledger.find(point)
            count = len(self._platform.inbox.mails(marketer.email))
            self.ledger.check(count <= mails, f"{point}: {count} mails instead of {mails}")

        return check

    def verifying(self, point: str) -> Check:
        """Auth dies while an address is proven: the proof counts, and once."""
        marketer = self.new_marketer()
        marketer.register()
        token = token_in(self._platform.inbox.wait_for(marketer.email, timeout=MAIL_WITHIN)[-1])

        def prove() -> httpx.Response:
            return marketer.http.post("/api/auth/verify-email", json={"token": token})

        self.interrupted(self.auth, point, prove, repeated=SPENT)
        self.ledger.acknowledge(point)

        def check() -> None:
            marketer.log_in()
            self.ledger.find(point)
            self.ledger.check(prove().status_code == 400, f"{point}: the token counts again")

        return check

    def minting(self, point: str) -> Check:
        """Auth dies while email asks it for a token, at times before it has answered the registration that the token
        is for: the mail comes a moment later."""
        marketer = self.new_marketer()
        self.interrupted(self.auth, point, lambda: sign_up(marketer))
        return self._joining(marketer, point)

    def logging_in(self, point: str) -> Check:
        """Auth dies while somebody signs in: they sign in again."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        body = {"email": marketer.email, "password": marketer.password}
        self.interrupted(self.auth, point, lambda: marketer.http.post("/api/auth/login", json=body))
        self.ledger.acknowledge(point)

        def check() -> None:
            marketer.log_in()
            marketer.ask("GET", "/api/auth/me", 200)
            self.ledger.find(point)

        return check

    def refreshing(self, point: str) -> Check:
        """Auth dies while a refresh token is exchanged: repeated in time, it gives the new tokens."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        body, since = {"refresh_token": marketer.tokens["refresh_token"]}, time.monotonic()

        def exchange() -> httpx.Response:
            return marketer.http.post("/api/auth/refresh", json=body)

        self.interrupted(self.auth, point, exchange)
        again = exchange()
        in_time = point == "auth.refresh.read" or time.monotonic() - since < GRACE
        self.ledger.acknowledge(point)
        self.ledger.check(again.status_code == 200 or not in_time, f"{point}: repeated in time, {again.status_code}")

        def check() -> None:
            marketer.tokens |= again.json() if again.status_code == 200 else {}
            (marketer.refresh if again.status_code == 200 else marketer.log_in)()
            marketer.ask("GET", "/api/auth/me", 200)
            self.ledger.find(point)

        return check

    def logging_out(self, point: str) -> Check:
        """Auth dies while somebody signs out: the session has ended for every service."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        old = marketer.tokens
        headers = {"authorization": f"Bearer {old['access_token']}"}

        def log_out() -> httpx.Response:
            return marketer.http.post("/api/auth/logout", headers=headers)

        self.interrupted(self.auth, point, log_out, repeated=ENDED)
        self.ledger.acknowledge(point)

        def check() -> None:
            for path in ("/api/analytics/imports", "/api/auth/me"):
                marketer.seconds_until_refused(old["access_token"], path, limit=MAIL_WITHIN)
            answer = marketer.http.post("/api/auth/refresh", json={"refresh_token": old["refresh_token"]})
            self.ledger.check(answer.status_code == 401, f"{point}: refreshed after the end, {answer.status_code}")
            self.ledger.find(point)

        return check

    def resetting(self, point: str) -> Check:
        """Auth dies while somebody asks for a new password, or sets it: in the end the new one counts, alone."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        new, old = f"{marketer.password} anew", marketer.password

        def ask() -> httpx.Response:
            return marketer.http.post("/api/auth/password-reset", json={"email": marketer.email})

        def confirm() -> httpx.Response:
            mail = self._platform.inbox.wait_for(marketer.email, timeout=MAIL_WITHIN, subject="Choose a new password")
            body = {"token": token_in(mail[-1]), "new_password": new}
            return marketer.http.post("/api/auth/password-reset/confirm", json=body)

        if point == "auth.reset.asked":
            self.interrupted(self.auth, point, ask)
            confirm().raise_for_status()
        else:
            ask().raise_for_status()
            self.interrupted(self.auth, point, confirm, repeated=SPENT)
        return self._with_new_password(marketer, point, old, new)

    def changing(self, point: str) -> Check:
        """Auth dies while a password is changed: the new one counts, alone."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        new, old = f"{marketer.password} anew", marketer.password
        headers = {"authorization": f"Bearer {marketer.tokens['access_token']}"}
        body = {"current_password": old, "new_password": new}

        def change() -> httpx.Response:
            return marketer.http.post("/api/auth/change-password", headers=headers, json=body)

        self.interrupted(self.auth, point, change, repeated=WRONG)
        return self._with_new_password(marketer, point, old, new)

    def _with_new_password(self, marketer: Marketer, point: str, old: str, new: str) -> Check:
        self.ledger.acknowledge(point)

        def check() -> None:
            body = {"email": marketer.email, "password": old}
            refused = marketer.http.post("/api/auth/login", json=body).status_code
            self.ledger.check(refused == 401, f"{point}: the old password, {refused}")
            marketer.password = new
            marketer.log_in()
            self.ledger.find(point)

        return check

    def moving(self, point: str) -> Check:
        """Auth dies while another address is confirmed: used again, the link works or has worked."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        old, new = marketer.email, f"new.{marketer.email}"
        marketer.ask("POST", "/api/auth/change-email", 202, json={"new_email": new})
        [mail] = self._platform.inbox.wait_for(new, timeout=MAIL_WITHIN, subject="Confirm your new email address")

        def confirm() -> httpx.Response:
            return marketer.http.post("/api/auth/change-email/confirm", json={"token": token_in(mail)})

        self.interrupted(self.auth, point, confirm, repeated=SPENT)
        confirm()
        self.ledger.acknowledge(point)

        def check() -> None:
            marketer.email = new
            marketer.log_in()
            self.ledger.find(point)
            body = {"email": old, "password": marketer.password}
            refused = marketer.http.post("/api/auth/login", json=body).status_code
            self.ledger.check(refused == 401, f"{point}: the old address, {refused}")

        return check

    def joining(self, point: str) -> Check:
        """Auth dies while somebody makes an account by an invitation: in the end they belong to the organisation."""
        owner = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        guest = self.new_marketer()
        organization_id = owner.tokens["user"]["organization_id"]
        form = {"email": guest.email, "role": "member"}
        owner.ask("POST", f"/api/organizations/{organization_id}/invitations", 201, json=form)
        [mail] = self._platform.inbox.wait_for(guest.email, timeout=MAIL_WITHIN)
        body = {"token": token_in(mail), "full_name": guest.full_name, "password": guest.password}

        def register() -> httpx.Response:
            return guest.http.post("/api/organizations/invitations/register", json=body)

        taken = 409 if point == "auth.invited.registered" else SPENT
        self.interrupted(self.auth, point, register, repeated=taken)
        guest.log_in()
        headers = {"authorization": f"Bearer {guest.tokens['access_token']}"}
        guest.http.post("/api/organizations/invitations/accept", json={"token": body["token"]}, headers=headers)
        self.ledger.acknowledge(point)

        def check() -> None:
            guest.log_in()
            mine = guest.ask("GET", "/api/organizations", 200)["organizations"]
            self.ledger.check([one["organization_id"] for one in mine] == [organization_id], f"{point}: {mine}")
            self.ledger.find(point)

        return check

    def erasing(self, point: str) -> Check:
        """Auth, or analytics, dies while somebody is erased: in the end all are done with them, and they are told."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        marketer.wait_for_import(marketer.start_import(orders()[0], OPTIONS), seconds=90)
        body, tokens = {"email": marketer.email}, marketer.tokens
        headers = {"authorization": f"Bearer {tokens['access_token']}"}

        def erase() -> httpx.Response:
            return marketer.http.post("/api/auth/me/erasure", headers=headers, json=body)

        service = self.auth if point.startswith("auth.") else self.analytics
        self.interrupted(service, point, erase, repeated=ENDED)
        erase()  # whoever was not answered asks again, and may be gone already
        self.ledger.acknowledge(point)

        def check() -> None:
            subject = "Your account was erased"
            mails = self._platform.inbox.wait_for(marketer.email, timeout=90, subject=subject)
            self.ledger.check(len(mails) == 1, f"{point}: {len(mails)} mails tell the end")
            login = {"email": marketer.email, "password": marketer.password}
            refused = marketer.http.post("/api/auth/login", json=login).status_code
            self.ledger.check(refused == 401, f"{point}: a sign-in after the end, {refused}")
            self.ledger.find(point)

        return check

    def mailing(self, point: str) -> Check:
        """Email dies while it sends: one mail; two where SMTP leaves open whether the first one was taken."""
        marketer, unclear = self.new_marketer(), point == "email.send.sent"
        for address in self._expected if unclear else ():  # else one of these could die there, and come twice
            self._platform.inbox.wait_for(address, timeout=MAIL_WITHIN)
        with self.dying(self.email, point):
            marketer.register()
        return self._joining(marketer, point, mails=2 if unclear else 1)

    def postponing(self, point: str) -> Check:
        """Email dies while it puts a mail off, as auth does not answer: the mail is not forgotten."""
        marketer = self.new_marketer()
        self.email.suspend()
        try:
            marketer.register()
            time.sleep(1)  # the event goes out
            self.auth.suspend()
            with self.dying(self.email, point):
                self.email.resume()
        finally:
            self.auth.resume()
        return self._joining(marketer, point)

    def writing_to_customers(self, point: str) -> Check:
        """Email dies while it takes a request for a mail on: asked again with the same key, it sends one mail."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        customer = f"{new_id()}@customers.example.com"  # an address may have 64 characters before the @
        self.interrupted(self.email, point, lambda: write_to(marketer, customer, point), repeated=STILL_RUNNING)
        if point == "email.request.queued":  # before, it is only sent once it is asked for again
            self._expected.append(customer)
        self.ledger.acknowledge(point)

        def check() -> None:
            deadline = time.monotonic() + 2 * MAIL_WITHIN
            while (answer := write_to(marketer, customer, point)).status_code == STILL_RUNNING:
                assert time.monotonic() < deadline, answer.text
                time.sleep(1)
            mails = self._platform.inbox.wait_for(customer, timeout=MAIL_WITHIN)
            self.ledger.find(point)
            self.ledger.check(len(mails) == 1, f"{point}: {len(mails)} mails instead of 1")

        return check

    def hearing_of_mails(self, point: str) -> Check:
        """Email dies while it is told that a mail bounced: told again, it counts once, and nothing is sent any more."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        customer = f"gone.{new_id()}@customers.example.com"
        answer = write_to(marketer, customer, point)
        mail = f"{answer.json()['request_id']}.00"
        self._platform.inbox.wait_for(customer, timeout=MAIL_WITHIN)
        bounce = event(mail, "bounce", customer, type="bounce", status="5.1.1")

        def tell() -> httpx.Response:
            content, headers = batch(bounce)
            return marketer.http.post(PATH, content=content, headers=headers)

        self.interrupted(self.email, point, tell)
        self.ledger.acknowledge(point)

        def check() -> None:
            self.ledger.check(tell().status_code == 200, f"{point}: not taken in")
            shown = marketer.ask("GET", f"/api/email/messages/{mail}", 200)
            self.ledger.check(shown["status"] == "bounced", f"{point}: its status is {shown['status']}")
            self.ledger.check(len(shown["timeline"]) == 1, f"{point}: told {len(shown['timeline'])} times")
            self.ledger.find(point)

        return check

    def importing(self, point: str) -> Check:
        """Analytics dies while it imports: in the end the file counts once, to the cent."""
        marketer = self.new_marketer().join(self._platform.inbox, timeout=MAIL_WITHIN)
        content, revenue = orders()
        headers = {"authorization": f"Bearer {marketer.tokens['access_token']}"}

        def upload() -> httpx.Response:
            form: dict[str, Any] = {
                "files": {"file": ("orders.csv", content, "text/csv")},
                "data": {"options": json.dumps(OPTIONS)},
            }
            return marketer.http.post("/api/analytics/imports/orders", headers=headers, **form)

        self.interrupted(self.analytics, point, upload)
        import_id = upload().raise_for_status().json()["import_id"]
        self.ledger.acknowledge(point)

        def check() -> None:
            status = marketer.wait_for_import(import_id, seconds=90)["status"]
            shown = marketer.overview("2024-01-01", "2024-12-31")
            if (status, shown["revenue"], shown["orders"]) == ("completed", revenue, ROWS):
                self.ledger.find(point)
            else:
                self.ledger.check(False, f"{point}: {status}, {shown['orders']} orders of {shown['revenue']}")

        return check

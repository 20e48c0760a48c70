"""A world per organisation for the tenant grid: one of every kind of thing that an id names, made at the public door.

A route with a parameter whose name is neither in `World.ids` nor in `FREE` fails the grid: whoever adds one makes it
here.
"""

import secrets
import time
from datetime import timedelta
from typing import Any

from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer, token_in
from omnify_shared import clock
from support.authenticator import Authenticator
from support.vendors import VENDORS

FREE = frozenset({"resource_id", "cursor"})
"""Parameters that name nothing which is made beforehand: they are asked with what the foreign world happens to have."""
UNSEEN = frozenset({"ceremony_id", "erasure_id"})
"""Ids that no route shows to their owner."""


class World:
    """An owner with an organisation full of things, and one colleague. All names in it hold `marker`."""

    def __init__(self, url: str, inbox: Inbox, services: set[str]) -> None:
        self.marker = f"mark{secrets.token_hex(6)}"
        self.ids: dict[str, str] = {}
        self.owner = self._person(url, "owner").join(inbox, timeout=60)
        self._organization()
        self._colleague(self._person(url, "colleague"), inbox)
        self._erased(self._person(url, "leaver").join(inbox, timeout=60))
        self._roles_and_apps()
        self._passkey()
        if "analytics" in services:
            self._import()
        if "email" in services:
            self._mails()
        if "webhooks" in services:
            self._webhooks()
        if "files" in services:
            self.ids["file_id"] = self.owner.send_file(f"{self.marker}.txt", self.marker.encode())

    def _person(self, url: str, name: str) -> Marketer:
        return Marketer(
            url,
            f"{name}.{self.marker}@example.com",
            organization=f"Organisation {self.marker}",
            full_name=f"{name} {self.marker}",
        )

    def close(self) -> None:
        self.owner.close()

    def ask(self, method: str, path: str, expected: int, **options: Any) -> Any:
        return self.owner.ask(method, path, expected, **options)

    def _organization(self) -> None:
        user = self.owner.tokens["user"]
        self.ids |= {"organization_id": user["organization_id"], "session_id": self.owner.tokens["session_id"]}
        [session] = self.ask("GET", "/api/sessions", 200)["sessions"]
        self.ids["device_id"] = session["device_id"]

    def _colleague(self, colleague: Marketer, inbox: Inbox) -> None:
        here = f"/api/organizations/{self.ids['organization_id']}/invitations"
        self.ask("POST", here, 201, json={"email": colleague.email, "role": "member"})
        [mail] = inbox.wait_for(colleague.email, timeout=60)
        form = {"token": token_in(mail), "full_name": colleague.full_name, "password": colleague.password}
        colleague.ask("POST", "/api/organizations/invitations/register", 201, json=form)
        colleague.log_in()
        self.ids["user_id"] = colleague.tokens["user"]["user_id"]
        colleague.close()
        waiting = self.ask("POST", here, 201, json={"email": f"guest.{self.marker}@example.com", "role": "viewer"})
        self.ids["invitation_id"] = waiting["invitation_id"]

    def _erased(self, leaver: Marketer) -> None:
        asked = leaver.ask("POST", "/api/auth/me/erasure", 202, json={"email": leaver.email})
        self.ids["erasure_id"] = asked["erasure_id"]
        leaver.close()

    def _roles_and_apps(self) -> None:
        ends = (clock.now() + timedelta(days=30)).isoformat()
        role = {"name": f"Role {self.marker}", "description": self.marker, "permissions": ["analytics:view"]}
        self.ids["role_id"] = self.ask("POST", "/api/rbac/roles", 201, json=role)["role_id"]
        app = {"name": f"App {self.marker}", "grant_types": ["client_credentials"], "scopes": ["analytics:view"]}
        self.ids["client_id"] = self.ask("POST", "/api/oauth/clients", 201, json=app)["client_id"]
        key = {"name": f"Key {self.marker}", "scopes": ["analytics:view"], "expires_at": ends}
        self.ids["key_id"] = self.ask("POST", "/api/api-keys", 201, json=key)["key_id"]
        resource = self.ids["resource_id"] = secrets.token_hex(6)
        grant = {"user_id": self.ids["user_id"], "resource_type": "campaign", "resource_id": resource}
        body = grant | {"permissions": ["campaign:edit"], "expires_at": ends}
        self.ask("POST", "/api/rbac/permissions/resource/grant", 200, json=body)
        self.ids["role"] = self.ids["roles"] = self.ids["role_id"]

    def _passkey(self) -> None:
        key = Authenticator(self.owner.gateway.replace("127.0.0.1", "localhost"))  # as Platform.passkey_origin
        begun = self.ask("POST", "/api/mfa/passkeys/options", 200)
        made = {"ceremony_id": begun["ceremony_id"], "credential": key.create(begun["options"])}
        made["name"] = f"Passkey {self.marker}"
        self.ask("POST", "/api/mfa/passkeys", 201, json=made)
        [passkey] = self.ask("GET", "/api/mfa/passkeys", 200)["passkeys"]
        self.ids["passkey_id"] = passkey["passkey_id"]
        self.ids["ceremony_id"] = self.ask("POST", "/api/mfa/passkeys/options", 200)["ceremony_id"]

    def _import(self) -> None:
        rows = f"no,who,when,paid,pieces\n1,{self.marker},2024-01-05,10.00,1\n".encode()
        options = {
            "currency": "EUR",
            "columns": {"customer_id": "who", "ordered_at": "when", "amount": "paid", "order_id": "no"},
        }
        self.ids["import_id"] = self.owner.start_import(rows, options, f"{self.marker}.csv")
        self.owner.wait_for_import(self.ids["import_id"], 90)

    def _mails(self) -> None:
        domain, path = f"{self.marker}.example.com", "/api/email"
        self.ids["domain_id"] = self.ask("POST", f"{path}/domains", 201, json={"domain": domain})["domain_id"]
        stopped = self.ask("POST", f"{path}/suppressions", 201, json={"emails": [f"stopped@{domain}"]})
        self.ids["suppression_id"] = stopped["suppressions"][0]["suppression_id"]
        values = {"headline": f"News of {self.marker}", "text": "Come and see."}
        body = {"template": "notice", "values": values, "recipients": [{"email": f"customer@{domain}"}]}
        self.ids["mail_request_id"] = self.ask("POST", f"{path}/messages", 202, json=body)["request_id"]
        self.ids["mail_id"] = f"{self.ids['mail_request_id']}.00"

    def _webhooks(self) -> None:
        form = {"url": f"https://hooks.{self.marker}.invalid/", "event_types": ["omnify.auth.member.added.v1"]}
        self.ids["endpoint_id"] = self.ask("POST", "/api/webhooks/endpoints", 201, json=form)["endpoint_id"]
        path = f"/api/webhooks/endpoints/{self.ids['endpoint_id']}"
        self.ids["message_id"] = self.ask("POST", f"{path}/test", 202)["message_id"]
        self._connection()
        deadline = time.monotonic() + 90
        while not any(one["attempts"] for one in self.ask("GET", f"{path}/deliveries", 200)["items"]):
            assert time.monotonic() < deadline, "the test message was not tried"
            time.sleep(0.1)

    def _connection(self) -> None:
        vendor = VENDORS["standard"]
        form = {"provider": "standard", "secret": vendor.secrets["right"], "description": self.marker}
        made = self.ask("POST", "/api/webhooks/connections", 201, json=form)
        self.ids["connection_id"] = made["connection_id"]
        headers = vendor.sign(vendor.secrets["right"], vendor.body, time.time(), made["url"])
        door = f"/api/webhooks/in/standard/{made['connection_id']}"
        self.ask("POST", door, 200, content=vendor.body, headers=headers)
        path = f"/api/webhooks/connections/{made['connection_id']}/events"
        [self.ids["receipt_id"]] = [one["receipt_id"] for one in self.ask("GET", path, 200)["items"]]

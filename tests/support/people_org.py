"""The people of the golden files who share organisations: Kim founds one, Lou gets it, Mia is still to answer."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp

from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer, token_in


def with_organizations(kim: Marketer, lou: Marketer, mia: str, inbox: Inbox) -> dict[str, Any]:
    """An organisation as it may stand: handed over, a founder gone, an invitation open. What Lou keeps of it."""
    kim.join(inbox)
    shared = _founded(kim, "Difference Engines")
    kim.ask("PATCH", shared, 200, json={"name": "Difference & Engines"})
    kim.ask("POST", f"{shared}/invitations", 201, json={"email": lou.email, "role": "manager"})
    [mail] = inbox.wait_for(lou.email, subject="You are invited to Omnify")
    body = {"token": token_in(mail), "full_name": lou.full_name, "password": lou.password}
    kim.ask("POST", "/api/organizations/invitations/register", 201, json=body)
    lou.log_in()
    lou_id = lou.tokens["user"]["user_id"]
    kim.ask("PATCH", f"{shared}/members/{lou_id}", 200, json={"roles": ["admin"]})
    withdrawn = kim.ask("POST", f"{shared}/invitations", 201, json={"email": mia, "role": "viewer"})
    kim.ask("DELETE", f"{shared}/invitations/{withdrawn['invitation_id']}", 204)
    kim.ask("POST", f"{shared}/invitations", 201, json={"email": mia, "role": "viewer"})
    kim.ask("POST", f"{shared}/transfer", 204, json={"user_id": lou_id})
    lou.log_in()
    _lose_factors(kim, lou, shared, inbox)
    lou.ask("POST", f"{shared}/members/{kim.tokens['user']['user_id']}/sign-out", 200)
    _grants(lou, kim.tokens["user"]["user_id"])
    lou.ask("DELETE", f"{shared}/members/{kim.tokens['user']['user_id']}", 204)
    role = {"name": "Analyst", "description": "Looks at figures.", "permissions": ["analytics:view"]}
    kept = lou.ask("POST", "/api/rbac/roles", 201, json=role)["role_id"]
    lou.ask("PUT", f"/api/rbac/roles/{kept}", 200, json=role | {"permissions": ["analytics:view", "analytics:export"]})
    gone = lou.ask("POST", "/api/rbac/roles", 201, json=role | {"name": "Nobody"})["role_id"]
    lou.ask("DELETE", f"/api/rbac/roles/{gone}", 204)
    short_lived = _founded(lou, "A mistake")
    lou.ask("POST", f"{short_lived}/deletion", 202, json={"name": "A mistake"})
    lou.log_in()
    return {"lou_email": lou.email, "shared_organization_id": shared.rpartition("/")[2]}


def _founded(founder: Marketer, name: str) -> str:
    made = founder.ask("POST", "/api/organizations", 201, json={"name": name})
    path = f"/api/organizations/{made['organization_id']}"
    founder.tokens |= founder.ask("POST", f"{path}/switch", 200)
    return path


def _grants(owner: Marketer, member_id: str) -> None:
    path = "/api/rbac/permissions/resource"
    on = {"user_id": member_id, "resource_type": "campaign", "resource_id": "17"}
    ends = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    owner.ask("POST", f"{path}/grant", 200, json=on | {"permissions": ["campaign:edit"], "expires_at": ends})
    owner.ask("POST", f"{path}/revoke", 204, json=on)
    owner.ask("POST", f"{path}/grant", 200, json=on | {"permissions": ["campaign:publish"], "expires_at": ends})


def _lose_factors(loser: Marketer, administrator: Marketer, shared: str, inbox: Inbox) -> None:
    loser.log_in()
    secret = loser.ask("POST", "/api/mfa/totp/setup", 200)["secret"]
    loser.ask("POST", "/api/mfa/totp/verify", 200, json={"code": pyotp.TOTP(secret).now()})
    login = {"email": loser.email, "password": loser.password}
    waiting = loser.ask("POST", "/api/auth/login", 403, json=login)["mfa_token"]
    loser.ask("POST", "/api/auth/login/mfa/recovery", 202, json={"mfa_token": waiting})
    [mail] = inbox.wait_for(loser.email, subject="Lost your second factors?")
    loser.ask("POST", "/api/auth/mfa-recovery/confirm", 200, json={"token": token_in(mail)})
    administrator.ask("POST", f"{shared}/members/{loser.tokens['user']['user_id']}/mfa-reset", 204)
    loser.log_in()

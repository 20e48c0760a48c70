"""Sender domains: records asked of a real DNS server, and mails signed with the domain's key."""

from collections.abc import Callable
from typing import Any

import dkim
import pytest

from omnify_shared.ids import new_id
from support.golden import rows

pytestmark = pytest.mark.one_set("the DNS and the signature are the same on all sets")
NAMES = ("proof", "dkim", "spf", "dmarc", "return_path")


@pytest.fixture(scope="module")
def post(new_post: Callable[..., Any]) -> Any:
    started = new_post()
    started.start_dns()
    return started


@pytest.fixture
def owner(post: Any) -> Any:
    return post.caller(new_id())


async def added(owner: Any, domain: str) -> dict[str, Any]:
    answer = await owner("POST", "/domains", json={"domain": domain})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def zone(domain: dict[str, Any], **changed: list[str]) -> dict[str, list[str]]:
    """The records that are to be set, but for those that change."""
    return {f"{r['type']} {r['name']}": changed.get(r["check"], [r["value"]]) for r in domain["records"]}


async def checks(owner: Any, domain: dict[str, Any]) -> dict[str, str]:
    answer = await owner("POST", f"/domains/{domain['domain_id']}/verify")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    shown = {record["check"]: record["status"] for record in found["records"]}
    assert (found["verified_at"] is not None) == (set(shown.values()) == {"verified"})
    return shown


def news(address: str) -> dict[str, Any]:
    values = {"headline": "News", "text": "Come and see."}
    sender = {"email": address, "name": "The Shop"}
    return {"template": "notice", "values": values, "recipients": [{"email": "wim@shop.example"}], "sender": sender}


async def test_a_domain_is_used_once_its_records_are_found_and_its_mails_are_signed(post: Any, owner: Any) -> None:
    domain = await added(owner, "mail.shop.example")
    assert [record["check"] for record in domain["records"]] == list(NAMES)
    assert set((await checks(owner, domain)).values()) == {"pending"}
    refused = await owner("POST", "/messages", json=news("news@mail.shop.example"))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "sender-domain-not-verified")
    records = zone(domain)
    post.set_zone(records)
    assert set((await checks(owner, domain)).values()) == {"verified"}
    stranger = post.caller(new_id())
    assert (await stranger("POST", "/messages", json=news("news@mail.shop.example"))).status_code == 409
    assert (await owner("POST", "/messages", json=news("news@other.example"))).status_code == 409
    assert (await owner("POST", "/messages", json=news("news@mail.shop.example"))).status_code == 202
    mail = await post.one("smtp", "wim")
    assert mail["from"] == "news@mail.shop.example"
    raw = mail["data"].encode()

    def txt(name: bytes, timeout: int = 5) -> bytes:
        return records[f"TXT {name.decode().rstrip('.')}"][0].encode()

    assert b"From: The Shop <news@mail.shop.example>" in raw
    assert dkim.verify(raw, dnsfunc=txt)
    assert not dkim.verify(raw.replace(b"Come and see", b"Go and see"), dnsfunc=txt)
    post.set_zone({})
    await checks(owner, domain)
    assert (await owner("POST", "/messages", json=news("news@mail.shop.example"))).status_code == 409


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"proof": ["omnify-proof=another"]}, "failed"),
        ({"dkim": ["v=DKIM1; k=rsa; p=AAAA"]}, "failed"),
        ({"spf": ["v=spf1 include:other.example ~all"]}, "failed"),
        ({"spf": ["v=spf1 -all", "v=spf1 include:spf.omnify.localhost ~all"]}, "failed"),
        ({"spf": ["v=spf1 ip4:192.0.2.1 include:spf.omnify.localhost -all", "unrelated"]}, "verified"),
        ({"dmarc": ["v=DMARC1; p=everything"]}, "failed"),
        ({"dmarc": ["v=DMARC1; p=reject; rua=mailto:x@y.example"]}, "verified"),
        ({"return_path": ["elsewhere.example"]}, "failed"),
        ({"dmarc": []}, "pending"),
    ],
)
async def test_each_record_is_judged_for_itself(post: Any, owner: Any, changed: Any, status: str) -> None:
    domain = await added(owner, "judged.example")
    post.set_zone(zone(domain, **changed))
    [name] = changed
    assert await checks(owner, domain) == dict.fromkeys(NAMES, "verified") | {name: status}


@pytest.mark.parametrize("name", ["broken.example", "silent.example"])
async def test_a_dns_that_fails_says_nothing_of_the_domain(post: Any, owner: Any, name: str) -> None:
    assert set((await checks(owner, await added(owner, name))).values()) == {"pending"}


async def test_domains_belong_to_their_organisation(post: Any, owner: Any) -> None:
    domain = await added(owner, "mine.example")
    path = f"/domains/{domain['domain_id']}"
    assert (await owner("POST", "/domains", json={"domain": "mine.example"})).status_code == 409
    stranger = post.caller(new_id())
    assert (await stranger("GET", "/domains")).json() == {"domains": []}
    for method, more in (("GET", ""), ("POST", "/verify"), ("DELETE", "")):
        assert (await stranger(method, path + more)).status_code == 404
    assert (await owner("DELETE", path)).status_code == 204
    assert (await owner("GET", path)).status_code == 404
    assert (await owner("GET", "/domains")).json() == {"domains": []}


@pytest.mark.parametrize("name", ["", "shop", "Shop.example", "a b.example", "-a.example", "192.0.2.1", "a" * 300])
async def test_what_is_no_domain_is_refused(owner: Any, name: str) -> None:
    assert (await owner("POST", "/domains", json={"domain": name})).status_code == 422


async def test_the_key_lies_sealed(post: Any, owner: Any) -> None:
    await added(owner, "sealed.example")
    assert not any(b"PRIVATE KEY" in value for _, value in rows(post.home, "email"))

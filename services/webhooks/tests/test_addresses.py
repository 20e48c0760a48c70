"""The guard: what may be called, by URL and by address; and a connection goes to the address that was checked."""

import asyncio

import pytest
from pydantic import SecretStr

from omnify_webhooks.addresses import Guard, is_public
from omnify_webhooks.errors import UnsafeTarget
from omnify_webhooks.sending import Sender, system_lookup
from omnify_webhooks.settings import LADDER, WebhooksSettings

# Each a way inside, or to nowhere; `ipaddress.is_global` says yes to the first six.
INSIDE = (
    "224.0.0.1",
    "ff02::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "192.88.99.3",
    "64:ff9b:1::a00:1",
    "127.0.0.1",
    "::1",
    "0.0.0.0",  # noqa: S104 - refused
    "::",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.0.192",
    "168.63.129.16",
    "2001::1",
    "2001:db8::1",
    "fe80::1%eth0",
    "100::1",
    "240.0.0.1",
)
OUTSIDE = ("93.184.216.34", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::8")
REFUSED = (
    "http://example.com/",
    "https://example.com:8443/",
    "https://user:password@example.com/",
    "https://@example.com/",
    "https://example.com/#fragment",
    "https://localhost/",
    "https://metadata/",
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://2130706433/",
    "https://127.1/",
    "https://0x7f.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1%2f@example.com/",
    "https://exa mple.com/",
    "https:///path",
    "ftp://example.com/",
    "file:///etc/passwd",
    "https://example.com:99999/",
    "https://ex\u00e4mple.com/",
)


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_public_internet_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_can_never_be_right_is_refused_at_once(url: str) -> None:
    with pytest.raises(UnsafeTarget):
        Guard({443}, ()).check_url(url)


def test_an_exempt_target_is_that_one_alone() -> None:
    guard = Guard({443}, {"127.0.0.1:9000"})
    guard.check_url("http://127.0.0.1:9000/hook")
    for url in ("http://127.0.0.1:9001/", "http://localhost:9000/", "https://127.0.0.1/"):
        with pytest.raises(UnsafeTarget):
            guard.check_url(url)


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_is_not_called(address: str) -> None:
    """Whatever else it leads to."""

    async def lookup(host: str, port: int) -> list[str]:
        return ["93.184.216.34", address]

    sender = Sender(Guard({443}, ()), connect_timeout=1, timeout=2, most=1, lookup=lookup)
    outcome = await sender.post("https://hooks.example.com/", {}, b"{}")
    assert (outcome.status, outcome.error) == (None, "not sent: the host is not on the public internet")
    await sender.close()


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that turns after the check: it is asked once, and the request names the host all the same."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asked: list[str] = []

    async def lookup(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    guard = Guard({443}, {f"hooks.example.com:{port}"})
    sender = Sender(guard, connect_timeout=1, timeout=2, most=1, lookup=lookup)
    outcome = await sender.post(f"http://hooks.example.com:{port}/x", {}, b"{}")
    assert (outcome.status, asked) == (204, ["hooks.example.com"])
    assert f"Host: hooks.example.com:{port}".lower().encode() in heard[0].lower()
    await sender.close()
    server.close()


async def test_the_systems_resolver_reads_numbers_as_addresses() -> None:
    assert await system_lookup("2130706433", 443) == ["127.0.0.1"]


def test_the_ladder_is_that_of_the_standard() -> None:
    assert len(LADDER) == 10
    assert sum(LADDER) == 75 * 3600 + 35 * 60 + 5
    settings = WebhooksSettings()
    assert (settings.ladder, settings.timeout, settings.connect_timeout) == (LADDER, 15, 5)


def test_production_has_no_exempt_targets() -> None:
    token = SecretStr("a" * 16)
    with pytest.raises(ValueError, match="EXEMPT_TARGETS"):
        WebhooksSettings(
            environment="production",
            exempt_targets=frozenset({"127.0.0.1:1"}),
            dapr_api_token=token,
            app_api_token=token,
        )

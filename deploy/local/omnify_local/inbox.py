"""Reads the local mailbox over its HTTP API."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from omnify_local.errors import LocalError

_POLL = 0.1  # seconds
_PAGE = 200  # the most summaries that MailDev gives at once


@dataclass(frozen=True)
class Mail:
    """One mail as it arrived."""

    id: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    headers: dict[str, Any]


class Inbox:
    """The mails of a running mailbox at `url`, newest last."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/api", timeout=30)

    def mails(self, to: str | None = None) -> list[Mail]:
        """All mails, or those to one address, oldest first."""
        return self._whole(self._summaries(to))

    def wait_for(self, to: str, *, count: int = 1, subject: str = "", timeout: float = 60) -> list[Mail]:
        """The mails to an address, once there are `count`; LocalError when they are not within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while len(arrived := list(self._summaries(to, subject))) < count:
            if time.monotonic() > deadline:
                raise LocalError(f"{len(arrived)} of {count} mails to {to} arrived within {timeout:g} s")
            time.sleep(_POLL)
        return self._whole(arrived)

    def recipients(self) -> Counter[str]:
        """How many mails there are to each address."""
        return Counter(address for item in self._summaries() for address in _addresses(item["to"]))

    def copies(self) -> dict[str, Counter[str]]:
        """Per address, how often each mail (by its Message-ID) is there."""
        found: dict[str, Counter[str]] = {}
        for item in self._get("/email"):
            for address in _addresses(item["to"]):
                found.setdefault(address, Counter())[str(item["headers"]["message-id"])] += 1
        return found

    def clear(self) -> None:
        """Drop every mail."""
        self._client.delete("/email/all").raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _whole(self, summaries: Iterable[dict[str, Any]]) -> list[Mail]:
        return [_mail(self._get(f"/email/{item['id']}")) for item in summaries]

    def _summaries(self, to: str | None = None, subject: str = "") -> Iterator[dict[str, Any]]:
        # Searched there, and without bodies: the whole mailbox is megabytes, and a wait would fetch it every 0.1 s.
        seen, total = 0, 1
        while seen < total:
            page = self._get("/email/summary", sort="asc", limit=_PAGE, skip=seen, search=to or "")
            seen, total = seen + _PAGE, page["total"]
            for item in page["items"]:
                if (to is None or to.lower() in _addresses(item["to"])) and subject.lower() in item["subject"].lower():
                    yield item

    def _get(self, path: str, **query: str | int) -> Any:
        answer = self._client.get(path, params=query)
        answer.raise_for_status()
        return answer.json()


def _addresses(entries: list[dict[str, str]]) -> tuple[str, ...]:
    return tuple(entry["address"].lower() for entry in entries or ())


def _mail(item: dict[str, Any]) -> Mail:
    return Mail(
        id=item["id"],
        sender="".join(_addresses(item["from"])[:1]),
        to=_addresses(item["to"]),
        subject=item.get("subject") or "",
        text=item.get("text") or "",
        html=item.get("html") or "",
        headers=item["headers"],
    )

"""What a replica remembers: orders of recently asked organisations and answers made from them."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from omnify_analytics.metrics import Sales

MAX_ORGANIZATIONS: Final = 500
MAX_ANSWERS: Final = 128  # per organisation
Question = tuple[str, ...]


@dataclass
class Remembered:
    """One organisation at one version of its ledger. `lock` lets one request at a time read its orders."""

    etag: str
    sales: "Sales | None" = None
    answers: OrderedDict[Question, bytes] = field(default_factory=OrderedDict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def size(self) -> int:
        """Orders held."""
        return len(self.sales.orders) if self.sales else 0

    def answer(self, question: Question, body: bytes) -> None:
        """Keeps an answer, in place of the least recently given one when there are too many."""
        self.answers[question] = body
        if len(self.answers) > MAX_ANSWERS:
            self.answers.popitem(last=False)

    def known(self, question: Question) -> bytes | None:
        """The answer given before to the same question."""
        body = self.answers.get(question)
        if body is not None:
            self.answers.move_to_end(question)
        return body


class SalesCache:
    """Bounded by the number of orders and of organisations; the least recently asked goes first."""

    def __init__(self, max_orders: int) -> None:
        self._max_orders = max_orders
        self._held: OrderedDict[str, Remembered] = OrderedDict()

    def at(self, organization_id: str, etag: str) -> Remembered:
        """What is remembered of an organisation at this version; empty when its ledger changed."""
        held = self._held.get(organization_id)
        if held is None or held.etag != etag:
            held = self._held[organization_id] = Remembered(etag)
        self._held.move_to_end(organization_id)
        return held

    def trim(self) -> None:
        """Lets go of what is over the bounds, never of the one asked last."""
        orders = sum(held.size for held in self._held.values())
        while len(self._held) > 1 and (orders > self._max_orders or len(self._held) > MAX_ORGANIZATIONS):
            _, gone = self._held.popitem(last=False)
            orders -= gone.size

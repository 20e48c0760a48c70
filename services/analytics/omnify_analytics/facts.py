"""Between orders in memory and fact documents. Imported on first use only, see `orders.parse`."""

from collections.abc import Iterable, Iterator
from typing import Final

from pydantic_core import from_json, to_json

from omnify_analytics.metrics import DayOrders
from omnify_analytics.orders.parse import ParsedOrders
from omnify_analytics.records import DayFacts, FactPiece
from omnify_shared.envelope import UnreadableDocument

PIECE_ORDERS: Final = 1_000  # orders per document: with the longest ids still below the sidecar's message limit
SCHEMA: Final = 1


def facts_of(parsed: ParsedOrders, *, order_ids: bool, quantities: bool) -> Iterator[tuple[FactPiece, bytes]]:
    """The documents of an import, oldest day first: the same file gives the same bytes."""
    by_day = parsed.orders.sort("day", maintain_order=True)
    counts = by_day.group_by("day", maintain_order=True).len()
    start = 0
    for day, count in counts.iter_rows():
        for piece, offset in enumerate(range(0, count, PIECE_ORDERS)):
            part = by_day.slice(start + offset, min(PIECE_ORDERS, count - offset))
            made = DayFacts(
                v=SCHEMA,
                customers=part["customer"].to_list(),
                amounts=part["amount"].to_list(),
                orders=part["order"].to_list() if order_ids else None,
                quantities=part["quantity"].to_list() if quantities else None,
            )
            data = to_json(made)
            yield FactPiece(day=day, piece=piece, size=len(data)), data
        start += count


def day_orders(facts: Iterable[tuple[FactPiece, bytes]]) -> Iterator[DayOrders]:
    """The orders in stored facts. Raises UnreadableDocument for those of a later release."""
    for piece, data in facts:
        stored = from_json(data)
        if stored["v"] != SCHEMA:
            raise UnreadableDocument(f"facts of version {stored['v']}, read here: {SCHEMA}")
        yield DayOrders(piece.day, stored["customers"], stored["amounts"], stored["orders"])

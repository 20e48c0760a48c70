"""What happened to a mail, told out of order and more than once: the same set of events gives the same standing."""

from omnify_email.records import Delivery, Entry, Happening

KEPT = 40
_RANKS: dict[Happening, int] = {
    "processed": 1,
    "deferred": 2,
    "blocked": 3,
    "dropped": 4,
    "delivered": 5,
    "bounced": 6,
    "complained": 7,
}
_STANDINGS: dict[int, Delivery] = {
    1: "processed", 2: "deferred", 3: "blocked", 4: "dropped", 5: "delivered", 6: "bounced", 7: "complained"
}  # fmt: skip


def happened(timeline: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    """The timeline with one more entry, by time; the very same one when it holds that id already or is full.

    A full one still takes what changes how the delivery stands, in place of its latest entry that does not.
    """
    if any(known.id == entry.id for known in timeline):
        return timeline
    if len(timeline) >= KEPT:
        spare = [known for known in timeline if _rank(known) < _rank(entry)]
        if not spare or _rank(entry) <= max(_rank(known) for known in timeline):
            return timeline
        timeline = tuple(known for known in timeline if known is not spare[-1])
    return tuple(sorted((*timeline, entry), key=lambda known: (known.at, known.id)))


def delivery_of(timeline: tuple[Entry, ...]) -> Delivery | None:
    """How the delivery stands: the weightiest of what happened, whatever came last."""
    return _STANDINGS.get(max((_rank(entry) for entry in timeline), default=0))


def _rank(entry: Entry) -> int:
    return _RANKS.get(entry.what, 0)

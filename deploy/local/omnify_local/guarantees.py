"""What Omnify guarantees on every component set: the names that tests and sets share.

A test says what it proves: `@pytest.mark.guarantee("no lost update")`; it then runs on every set. A set names what its
servers cannot offer in an annotation of its Configuration, `omnify/not-offered` (separated by commas), and nothing else
may be missing.
"""

from pathlib import Path

import yaml

GUARANTEES = {
    "byte-equal values": "a document comes back as it was written, whatever it holds",
    "one winner": "of many who create or change a document at once, one wins and the others are told",
    "no lost update": "a change decides again on what another one wrote",
    "stays deleted": "no write that was under way brings a deleted document back",
    "claims": "a name has one owner, also after it has expired",
    "paged indexes": "a list gives every entry once, newest first, also after parallel writes",
    "time to live": "a document is gone when its time is over, and not before",
    "schema upgrade": "a document of the previous schema is read and carried on",
    "outbox": "the events of a committed change are published, also after a crash in between",
    "any order": "events that arrive late, twice or the wrong way round leave the same result",
    "handled once": "an event that is delivered again is dropped",
    "order per key": "the events of one aggregate arrive in their order",
    "retry": "an event whose handler failed is tried again",
    "dead letters": "an event that keeps failing ends there, once and with its reason",
    "replay": "a dead letter can be handed to its handler again",
    "consumer crash": "an event in the hands of a killed consumer comes back",
    "consumer away": "an app may be away, or restart, without losing an event",
    "heard from the start": "an event published before its consumer first ran is delivered",
    "only the sidecar": "nobody but the sidecar can deliver an event",
    "servers of your own": "the same on servers that the environment names, of which nothing is started here",
    "journeys": "the platform as its users meet it: sign-up, import, numbers, browser, hostile input",
}
_ANNOTATION = "omnify/not-offered"


def not_offered(components: Path) -> frozenset[str]:
    """What a set's servers cannot offer, by its folder. Raises ValueError for a name that is no guarantee."""
    document = yaml.safe_load((components / "configuration.yaml").read_text())
    text = document["metadata"]["annotations"].get(_ANNOTATION, "")
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if unknown := names - GUARANTEES.keys():
        raise ValueError(f"{components.name}: {_ANNOTATION} names no guarantee: {', '.join(sorted(unknown))}")
    return names

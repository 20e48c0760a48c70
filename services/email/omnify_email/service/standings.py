"""Who may be written to: suppressions and choices, one document per organisation and address."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from omnify_email.addresses import AddressKeys, masked
from omnify_email.catalogue import CHOSEN, Category, Choice
from omnify_email.errors import UnknownSuppression
from omnify_email.records import UNKNOWN, OrganizationSettings, Reason, Standing, Stop
from omnify_email.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.indexes import MAX_PAGE

EVERYWHERE = "global"
BOUNCES_LAST = timedelta(days=30)  # then a mailbox may have come back; Postal's figure
Change = Callable[[Standing, Emit], Standing]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A page of an organisation's suppressions."""

    items: list[Standing]
    next_cursor: str | None


class Standings:
    """Asked before every mail, so that a change counts at once."""

    def __init__(self, store: Store, keys: AddressKeys) -> None:
        self._store = store
        self._keys = keys

    async def stopped(self, organization_id: str | None, category: Category, address_key: str) -> str | None:
        """Why a mail may not go to an address; None when it may.

        A hard bounce stops everything everywhere. Complaints and an organisation's own list stop what it sends, choices
        only what is a choice. Security mail heeds nothing but the bounce.
        """
        scopes = [EVERYWHERE, *([organization_id] if organization_id and category != "security" else [])]
        found = await self._store.standings.get_many((scope, address_key) for scope in scopes)
        now = clock.now()
        for (scope, _), standing in found.items():
            for reason, stop in standing.stops.items():
                heeded = reason == "bounce" or scope != EVERYWHERE
                if heeded and (stop.until is None or now < stop.until):
                    return reason
        if organization_id is None or category not in CHOSEN:
            return None
        own = found.get((organization_id, address_key))
        chosen = own.choices.get(category) if own else None
        if chosen is None:
            chosen = (await self.settings(organization_id)).defaults.get(category, True)
        return None if chosen else "unsubscribed"

    async def bounced(self, organization_id: str | None, address_key: str, shown: str, detail: str | None) -> None:
        """The address does not exist: nothing goes there for a while, from anybody."""
        stop = Stop(at=clock.now(), until=clock.now() + BOUNCES_LAST, detail=detail)
        for scope in filter(None, (organization_id, EVERYWHERE)):
            await self._stop(scope, address_key, shown, "bounce", stop)

    async def complained(self, organization_id: str, address_key: str, shown: str) -> None:
        """Its owner took a mail for spam: the organisation writes there no more."""
        await self._stop(
            organization_id, address_key, shown, "complaint", Stop(at=clock.now(), until=None, detail=None)
        )

    async def add(self, organization_id: str, addresses: Iterable[str], note: str | None) -> list[Standing]:
        """Stops what the organisation sends to addresses, by its own wish."""
        stop = Stop(at=clock.now(), until=None, detail=note)
        return [
            await self._stop(organization_id, await self._keys.of(one), masked(one), "manual", stop)
            for one in addresses
        ]

    async def lift(self, organization_id: str, address_key: str) -> None:
        """Takes an address off the organisation's list, and off everybody's where it bounced.

        What its owner turned off stays off. Raises UnknownSuppression.
        """
        await self.one(organization_id, address_key)
        for scope in (EVERYWHERE, organization_id):
            try:
                await self._store.standings.update(scope, address_key, change=_without_stops)
            except Missing:
                continue

    async def one(self, organization_id: str, address_key: str) -> Standing:
        """The suppression of one address. Raises UnknownSuppression."""
        standing = await self._store.standings.get(organization_id, address_key)
        if standing is None or not _suppresses(standing):
            raise UnknownSuppression("no such suppression")
        return standing

    async def find(self, organization_id: str, address: str) -> Standing | None:
        """How mail of the organisation to an address stands; None when nothing is known of it."""
        return await self._store.standings.get(organization_id, await self._keys.of(address))

    async def listed(self, organization_id: str, cursor: str | None, limit: int) -> Suppressed:
        """A page of the organisation's suppressions, newest first; pages may be shorter than asked for."""
        page = await self._store.standing_list.list(organization_id, cursor=cursor, limit=limit)
        ids = list(dict.fromkeys(entry.id for entry in page.items))
        found = await self._store.standings.get_many((organization_id, one) for one in ids)
        standings = [found[key] for key in ((organization_id, one) for one in ids) if key in found]
        return Suppressed([one for one in standings if _suppresses(one)], page.next_cursor)

    async def choose(self, organization_id: str, address_key: str, shown: str, choices: Mapping[Choice, bool]) -> None:
        """What the owner of an address wants to get from an organisation."""

        def change(standing: Standing, _: Emit) -> Standing:
            after = dict(standing.choices)
            for name, wanted in choices.items():
                after[name] = wanted
            if after == standing.choices:
                return standing
            return standing.model_copy(update={"choices": after, "changed_at": clock.now()})

        await self._change(organization_id, address_key, shown, change)

    async def choose_own(
        self, user_id: str, organization_id: str, address: str, choices: Mapping[Choice, bool]
    ) -> None:
        """As `choose`, for a user who is signed in: listed under them first, so that an erasure finds it."""
        key = await self._keys.of(address)
        found = {"organization_id": organization_id, "address_key": key}
        await self._store.choices_of.add(user_id, f"{organization_id}.{key}", **found)
        await self.choose(organization_id, key, masked(address), choices)

    async def chosen_by(self, user_id: str) -> list[dict[str, JsonValue]]:
        """What a user chose, the newest 1000 of their choices at most."""
        page = await self._store.choices_of.list(user_id, limit=MAX_PAGE)
        keys = [(str(one.summary["organization_id"]), str(one.summary["address_key"])) for one in page.items]
        found = await self._store.standings.get_many(keys)
        known = [(key[0], found[key]) for key in keys if key in found]
        return [{"organization_id": id, "choices": one.model_dump()["choices"]} for id, one in known]

    async def choices(self, organization_id: str, address: str) -> dict[Choice, bool]:
        """What goes to an address of an organisation's mails of choice."""
        defaults = (await self.settings(organization_id)).defaults
        own = await self.find(organization_id, address)
        return {name: (own.choices if own else {}).get(name, defaults.get(name, True)) for name in CHOSEN}

    async def settings(self, organization_id: str) -> OrganizationSettings:
        """What goes to those who have chosen nothing."""
        return await self._store.settings.get(organization_id) or OrganizationSettings()

    async def defaults(self, organization_id: str) -> dict[Choice, bool]:
        """What of the mails of choice goes to those who have chosen nothing."""
        found = (await self.settings(organization_id)).defaults
        return {name: found.get(name, True) for name in CHOSEN}

    async def set_defaults(self, organization_id: str, defaults: Mapping[Choice, bool]) -> OrganizationSettings:
        """Changes what goes to those who have chosen nothing."""

        def change(found: OrganizationSettings, _: Emit) -> OrganizationSettings:
            return found.model_copy(update={"defaults": {**found.defaults, **defaults}})

        return (await self._store.settings.upsert(organization_id, initial=OrganizationSettings, change=change)).value

    async def _stop(self, scope: str, address_key: str, shown: str, reason: Reason, stop: Stop) -> Standing:
        def change(standing: Standing, _: Emit) -> Standing:
            return standing.model_copy(update={"stops": standing.stops | {reason: stop}, "changed_at": clock.now()})

        return await self._change(scope, address_key, shown, change)

    async def _change(
        self, scope: str, address_key: str, shown: str, change: Callable[[Standing, Emit], Standing]
    ) -> Standing:
        """Listed first: a crash in between leaves a line too many, which a list leaves out."""
        if await self._store.standings.get(scope, address_key) is None:
            await self._store.standing_list.add(scope, address_key)

        def initial() -> Standing:
            return Standing(address_key=address_key, shown=shown or UNKNOWN, changed_at=clock.now())

        stored = await self._store.standings.upsert(scope, address_key, initial=initial, change=change)
        return stored.value


def reasons_of(standing: Standing, now: datetime) -> list[tuple[str, datetime, datetime | None]]:
    """Why an address gets nothing, or not everything: the reason, since when, until when."""
    found = [(str(why), stop.at, stop.until) for why, stop in standing.stops.items()]
    found = [(why, at, until) for why, at, until in found if until is None or now < until]
    off = [name for name, wanted in standing.choices.items() if not wanted]
    return [*found, *((f"unsubscribed:{name}", standing.changed_at, None) for name in off)]


def _suppresses(standing: Standing) -> bool:
    return bool(reasons_of(standing, clock.now()))


def _without_stops(standing: Standing, _: Emit) -> Standing:
    return standing.model_copy(update={"stops": {}, "changed_at": clock.now()}) if standing.stops else standing

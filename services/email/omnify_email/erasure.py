"""Deleting what email holds of a user or an organisation: records of mails, requests, suppressions, domains."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from omnify_email.records import UNKNOWN, Standing
from omnify_email.store import Store, scope_of
from omnify_email.store.mails import RETENTION, message_id
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.erasure import Subject
from omnify_shared.indexes import Entry


class Eraser:
    """Deletes from one store.

    Choices and suppressions lie under digests of addresses. Of what a user chose, what they turned off is kept, under
    the digest alone: to forget that somebody wants no mails would bring them mails again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """A part of what is held; how much of what was deleted."""
        if count := await self._store.mails.erase(subject.user_id or subject.organization_id or ""):
            return {"mails": count}
        if subject.organization_id is None:
            return {"choices": await self._choices(subject.user_id or "")}
        return await self._of_organization(subject.organization_id)

    async def _choices(self, user_id: str) -> int:
        async def drop(entry: Entry) -> None:
            key = str(entry.summary["organization_id"]), str(entry.summary["address_key"])
            with suppress(Missing):
                left = (await self._store.standings.update(*key, change=_refusals_alone)).value
                if not left.stops and not left.choices:
                    await self._store.standings.delete(*key)

        return await self._store.choices_of.erase(user_id, drop)

    async def _of_organization(self, organization_id: str) -> Mapping[str, int]:
        store = self._store

        async def drop_standing(entry: Entry) -> None:
            await store.standings.delete(organization_id, entry.id)

        async def drop_domain(entry: Entry) -> None:
            await store.domains.delete(organization_id, entry.id)

        today = clock.now().date()
        for days in range(RETENTION.days + 2):
            if count := await store.request_list.erase(
                scope_of(organization_id, today - timedelta(days=days)), self._drop_request
            ):
                return {"requests": count}
        if count := await store.standing_list.erase(organization_id, drop_standing):
            return {"suppressions": count}
        if count := await store.domain_list.erase(organization_id, drop_domain):
            return {"domains": count}
        await store.settings.delete(organization_id)
        return {}

    async def _drop_request(self, entry: Entry) -> None:
        request = await self._store.requests.get(entry.id)
        for number in range(len(request.keys) if request else 0):
            await self._store.mails.drop_message(message_id(entry.id, number))
        await self._store.requests.delete(entry.id)


def _refusals_alone(standing: Standing, _: Emit) -> Standing:
    refused = {name: wanted for name, wanted in standing.choices.items() if not wanted}
    return standing.model_copy(update={"choices": refused, "shown": UNKNOWN})

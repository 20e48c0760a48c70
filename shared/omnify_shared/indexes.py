"""Lists: paged index documents, as the state API lists no keys.

A scope (an organisation, say) has pages of at most `page_size` entries, filled in turn. A page is created first-write
and the head, which names the newest page, is only a hint: readers and writers look beyond it, so a crash between the
two writes loses nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, JsonValue

from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.problems import BadRequest
from omnify_shared.state import StateStore

MAX_PAGE = 1000
REMEMBERED = 4096  # scopes whose newest page is known


class Entry(BaseModel):
    """One line of a list: the id of a document and the few fields that the list shows."""

    id: str
    summary: dict[str, JsonValue] = {}


class _PageDocument(BaseModel):
    entries: list[Entry] = []


class _Head(BaseModel):
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and where the next ones start (None at the end)."""

    items: list[Entry]
    next_cursor: str | None


class Index:
    """An append-only list per scope. Adding an id twice to the newest page keeps one entry.

    With a `ttl`, which counts from a page's first entry, split scopes by time: pages of one scope end one by one. With
    `rolling` a page ends so long after its last entry: what is the oldest goes first, and the list goes on.
    """

    def __init__(
        self,
        state: StateStore,
        kind: str,
        page_size: int = 200,
        *,
        ttl: timedelta | None = None,
        rolling: timedelta | None = None,
    ) -> None:
        self._heads = Documents(state, f"{kind}-index", _Head, last="head", ttl=ttl)
        self._pages = Documents(state, f"{kind}-index", _PageDocument, ttl=ttl or rolling)
        self._page_size = page_size
        self._rolling = rolling
        self._may_end = ttl is not None  # heads, too: then no page is found but by way of them
        self._newest_of: dict[str, int] = {}

    async def add(self, scope: str, id: str, **summary: Any) -> None:
        """Appends an entry. Raises SidecarUnavailable, Contended."""
        await self.add_many(scope, [Entry(id=id, summary=summary)])

    async def add_many(self, scope: str, entries: Sequence[Entry]) -> None:
        """Appends entries, as many as fit into a page by one write. Raises SidecarUnavailable, Contended."""
        left = await self._go_on(scope, list(entries))
        number = await self._newest(scope) if left else 0
        while left:
            left = await self._fill(scope, number, left)
            if left:
                number += 1
                await self._open(scope, number)

    async def _go_on(self, scope: str, entries: list[Entry]) -> list[Entry]:
        """Adds what fits into the page where this writer was last, as only the newest has room; gives what is left. One
        that is gone, erased or at its end, is not begun anew: it might stand where no reader looks."""
        known = self._newest_of.get(scope)
        if known is None:
            return entries
        try:
            return await self._fill(scope, known, entries, begun=True)
        except Missing:
            del self._newest_of[scope]
            return entries

    async def _fill(self, scope: str, number: int, entries: list[Entry], *, begun: bool = False) -> list[Entry]:
        """Adds what fits into a page; gives what is left. Raises Missing when a page that was `begun` is gone."""
        left: list[Entry] = []

        def append(page: _PageDocument, _: Emit) -> _PageDocument:
            known = {entry.id for entry in page.entries}
            fresh = [entry for entry in {entry.id: entry for entry in entries}.values() if entry.id not in known]
            room = max(0, self._page_size - len(page.entries))
            left[:] = fresh[room:]
            return _PageDocument(entries=[*page.entries, *fresh[:room]]) if fresh[:room] else page

        if begun:
            await self._pages.update(scope, str(number), change=append, ttl=self._rolling)
        else:
            await self._pages.upsert(scope, str(number), initial=_PageDocument, change=append, ttl=self._rolling)
            self._remember(scope, number)
        return left

    def _remember(self, scope: str, number: int) -> None:
        if self._may_end:
            return
        if len(self._newest_of) >= REMEMBERED:
            self._newest_of.clear()
        self._newest_of[scope] = number

    async def _open(self, scope: str, number: int) -> None:
        try:
            await self._pages.create(scope, str(number), value=_PageDocument())
        except AlreadyExists:
            return
        await self._heads.upsert(
            scope, "head", initial=_Head, change=lambda head, _: head if head.newest >= number else _Head(newest=number)
        )

    async def _newest(self, scope: str) -> int:
        head = await self._heads.get(scope, "head")
        number = head.newest if head else 0
        while await self._pages.get(scope, str(number + 1)):
            number += 1
        return number

    async def list(self, scope: str, *, cursor: str | None = None, limit: int = 50) -> Page:
        """At most `limit` entries (1 to 1000) from `cursor` on, newest first. Raises BadRequest for a bad cursor."""
        page, position = await self._start(scope, cursor)
        items: list[Entry] = []
        while page >= 0 and len(items) < min(limit, MAX_PAGE):
            found = await self._pages.get(scope, str(page))
            entries = found.entries if found else []
            position = len(entries) if position is None else min(position, len(entries))
            taken = entries[max(0, position - (limit - len(items))) : position]
            items.extend(reversed(taken))
            position -= len(taken)
            if position == 0:
                page, position = page - 1, None
        return Page(items, None if page < 0 else f"{page}.{'' if position is None else position}")

    async def erase(self, scope: str, drop: Callable[[Entry], Awaitable[None]]) -> int:
        """Hands the entries of the first page that is left to `drop`, then deletes it; how many entries those were.

        0 when the whole list is gone. After a crash `drop` may be handed an entry again.
        """
        newest = await self._newest(scope)
        for number in range(newest + 1):
            page = await self._pages.get(scope, str(number))
            for entry in page.entries if page else ():
                await drop(entry)
            await self._pages.delete(scope, str(number))
            if page and page.entries:
                return len(page.entries)
        await self._heads.delete(scope, "head")
        return 0

    async def _start(self, scope: str, cursor: str | None) -> tuple[int, int | None]:
        if cursor is None:
            return await self._newest(scope), None
        page, _, position = cursor.partition(".")
        if not page.isdecimal() or (position and not position.isdecimal()) or len(cursor) > 20:
            raise BadRequest("cursor: not one that this list gave out")
        return int(page), int(position) if position else None

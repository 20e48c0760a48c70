"""What the files service does with files that are there; how they come is in `uploads`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from pydantic import JsonValue

from omnify_files.blobs import Blobs
from omnify_files.errors import NoRight, NotCancellable, NotReady, UnknownFile
from omnify_files.events import FileDeleted
from omnify_files.keeper import Keeper
from omnify_files.kinds import RULES
from omnify_files.links import Link, Links
from omnify_files.names import disposition, renamed
from omnify_files.ranges import ByteRange, asked
from omnify_files.records import Content, FileRecord, Variant
from omnify_files.schemas import FileOut, FilePage, FilesQuery, LinkOut, QuotaOut
from omnify_files.settings import FilesSettings
from omnify_files.store import FileStore
from omnify_files.uploads import Uploads, is_id
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.erasure import Erasures
from omnify_shared.identity import Principal

Right = Literal["view", "delete", "create"]
Change = Callable[[FileRecord, Emit], FileRecord]
_EXPORTED = {"file_id", "organization_id", "filename", "purpose", "state", "length", "created_at"}
_MARKS: dict[Variant, str] = {"content": "", "thumbnail": "-thumbnail", "text": "-text"}


@dataclass(frozen=True)
class Download:
    """A content on its way out, all of it or a range: its headers and its bytes."""

    content: Content
    disposition: str
    range: ByteRange | None
    body: AsyncIterator[bytes]


class FilesService:
    """The organisation always comes from the caller's token, or from a link that we signed."""

    def __init__(
        self,
        store: FileStore,
        blobs: Blobs,
        uploads: Uploads,
        keeper: Keeper,
        links: Links,
        erasures: Erasures,
        settings: FilesSettings,
    ) -> None:
        self.erasures = erasures
        self.uploads = uploads
        self.keeper = keeper
        self._store = store
        self._blobs = blobs
        self._links = links
        self._settings = settings

    async def file(self, caller: Principal, file_id: str, right: Right = "view") -> FileRecord:
        """A file that the caller has a right on. Raises UnknownFile, also for another organisation's; NoRight."""
        file = await self._store.files.get(caller.organization_id, file_id) if is_id(file_id) else None
        if file is None or file.state == "deleted":
            raise UnknownFile(f"there is no file {file_id[:64]!r}")
        permission = getattr(RULES[file.purpose], right)
        if not caller.may(permission, file_id):
            raise NoRight(f"this needs the permission {permission}", permission=permission)
        return file

    async def files(self, caller: Principal, query: FilesQuery) -> FilePage:
        """The files that the caller may see, newest first. Raises BadRequest for a cursor of somebody else's."""
        organization_id = caller.organization_id
        page = await self._store.listed.list(organization_id, cursor=query.cursor, limit=query.limit)
        found = await self._store.files.get_many((organization_id, entry.id) for entry in page.items)
        files = [found[organization_id, entry.id] for entry in page.items if (organization_id, entry.id) in found]
        shown = [
            FileOut.of(file)
            for file in files
            if file.state != "deleted"
            and query.purpose in (None, file.purpose)
            and caller.may(RULES[file.purpose].view, file.file_id)
        ]
        return FilePage(files=shown, next_cursor=page.next_cursor)

    async def export(self, user_id: str) -> dict[str, JsonValue]:
        """The files that a user sent, to whatever organisation, newest first; what is in them is not the user's."""
        made = self._store.of_users.made_by(user_id)
        return {"files": [file.model_dump(mode="json", include=_EXPORTED) async for file in made]}

    async def quota(self, organization_id: str) -> QuotaOut:
        """What the organisation takes."""
        usage = await self._store.usage(organization_id)
        return QuotaOut(
            files=len(usage.sizes),
            bytes=usage.total,
            max_files=self._settings.quota_files,
            max_bytes=self._settings.quota_bytes,
        )

    async def cancel(self, file: FileRecord) -> FileRecord:
        """Stops an upload or what is done with it; its bytes are dropped. Raises NotCancellable, UnknownFile."""

        def change(now: FileRecord, _: Emit) -> FileRecord:
            if now.state == "cancelled":
                return now
            if not (now.in_work or now.state == "uploading"):
                raise NotCancellable(f"the file is {now.state}")
            ended = {"state": "cancelled", "step": None, "lease": None, "detail": None, "ended_at": clock.now()}
            return now.model_copy(update=ended)

        return await self._end(file, change)

    async def delete(self, file: FileRecord) -> None:
        """Deletes a file in whatever state it is; its bytes are gone when this returns, or soon after a failure."""

        def change(now: FileRecord, emit: Emit) -> FileRecord:
            if now.state == "deleted":
                return now
            emit(FileDeleted(file_id=now.file_id, organization_id=now.organization_id, purpose=now.purpose))
            return now.emptied()

        await self._end(file, change)

    async def _end(self, file: FileRecord, change: Change) -> FileRecord:
        key = file.organization_id, file.file_id
        await self._store.look_at_now(key)
        try:
            ended = (await self._store.files.update(*key, change=change)).value
        except Missing as error:
            raise UnknownFile("there is no such file any more") from error
        await self._store.look_at_now(key)  # again: whoever found it ready may have taken it off
        await self.keeper.settle(ended)
        return ended

    async def link(self, file: FileRecord, variant: Variant) -> LinkOut:
        """A link for a few minutes. Raises NotReady."""
        content_of(file, variant)
        until = clock.now() + self._settings.link_life
        query = await self._links.sign(file.organization_id, file.file_id, variant, until)
        start = self._settings.public_url.rstrip("/")
        return LinkOut(url=f"{start}/api/files/{file.file_id}/content?{urlencode(query)}", expires_at=until)

    async def download(self, link: Link, signature: str, wanted: str | None, if_range: str | None) -> Download:
        """What a link opens; `wanted` is a `Range`, of the content that `if_range` names.

        Raises BadLink, UnknownFile, NotReady, RangeOutside.
        """
        await self._links.check(link, signature)
        file = await self._store.files.get(link.organization_id, link.file_id) if is_id(link.file_id) else None
        if file is None or file.state == "deleted":
            raise UnknownFile("the file was deleted")
        content = content_of(file, link.variant)
        name = renamed(file.filename, content.extension, _MARKS[link.variant])
        part = asked(wanted, if_range, etag=content.etag, size=content.size)
        body = (
            self._blobs.read_between(file, content.parts, part.first, part.last)
            if part
            else self._blobs.read(file, content.parts)
        )
        return Download(content, disposition(name), part, body)


def content_of(file: FileRecord, variant: Variant) -> Content:
    """A variant of a file. Raises NotReady, UnknownFile."""
    if file.state != "ready":
        raise NotReady(f"the file is {file.state}")
    content = file.contents.get(variant)
    if content is None:
        raise UnknownFile(f"the file has no {variant}")
    return content

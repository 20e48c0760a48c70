"""The events that files handles: its own, by which a complete file comes to be judged by whichever replica is free."""

from omnify_files.events import FileUploaded
from omnify_files.service import FilesService
from omnify_shared.erasure import follow_erasures
from omnify_shared.events import CloudEvent, Subscriptions

subscriptions = Subscriptions("files")
follow_erasures(subscriptions)


@subscriptions.on(FileUploaded, dedupe="effect")
async def file_uploaded(event: CloudEvent[FileUploaded], service: FilesService) -> None:
    """A file is complete. Judging one that is judged already changes nothing."""
    await service.keeper.take_on((event.data.organization_id, event.data.file_id))

"""An uploaded form: checked, and its file given piece by piece."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from fastapi import Request
from pydantic import JsonValue, ValidationError
from starlette.datastructures import FormData, UploadFile

from omnify_analytics.errors import FileTooLarge, InvalidOptions, NotAForm
from omnify_analytics.orders.head import HEAD_BYTES
from omnify_analytics.orders.options import ImportOptions
from omnify_analytics.store import CHUNK_BYTES

FORM_OVERHEAD: Final = 256 * 1024  # bytes of a request beyond its file
_MAX_OPTIONS: Final = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """A file on this machine's disk or in its memory for the time of the request. `sha256` is in hexadecimal."""

    file: BinaryIO
    filename: str | None
    size: int
    sha256: str
    head: bytes
    options: ImportOptions

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file in pieces of CHUNK_BYTES."""
        await asyncio.to_thread(self.file.seek, 0)
        while piece := await asyncio.to_thread(self.file.read, CHUNK_BYTES):
            yield piece


@asynccontextmanager
async def received(request: Request, max_file_bytes: int) -> AsyncIterator[Upload]:
    """The upload in a multipart request. Raises NotAForm, InvalidOptions, FileTooLarge."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise NotAForm("send multipart/form-data with the parts `file` and `options`")
    async with request.form(max_files=2, max_fields=2, max_part_size=_MAX_OPTIONS) as form:
        _check_parts(form)
        options = await _options(form["options"])
        part = form["file"]
        if not isinstance(part, UploadFile):
            raise InvalidOptions("the part `file` must be a file", errors=[_error("file", "is not a file")])
        if (part.size or 0) > max_file_bytes:
            raise FileTooLarge(f"the file may have at most {max_file_bytes} bytes", limit_bytes=max_file_bytes)
        digest, head = await asyncio.to_thread(_read_through, part.file)
        yield Upload(part.file, _shown_name(part.filename), part.size or 0, digest, head, options)


def _check_parts(form: FormData) -> None:
    names = [name for name, _ in form.multi_items()]
    errors: list[JsonValue] = [_error(name, "is missing") for name in ("file", "options") if name not in names]
    errors += [_error(name, "is not known") for name in sorted(set(names) - {"file", "options"})]
    errors += [_error(name, "is given twice") for name in ("file", "options") if names.count(name) > 1]
    if errors:
        raise InvalidOptions("send the parts `file` and `options`, once each and nothing else", errors=errors)


async def _options(part: UploadFile | str) -> ImportOptions:
    text = part if isinstance(part, str) else await part.read(_MAX_OPTIONS)
    try:
        return ImportOptions.model_validate_json(text)
    except ValidationError as error:
        found: list[JsonValue] = [
            _error(
                ".".join(["options", *(str(part) for part in item["loc"])]), item["msg"].removeprefix("Value error, ")
            )
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        first = found[0] if isinstance(found[0], dict) else {}
        raise InvalidOptions(f"{first.get('field')}: {first.get('reason')}", errors=found) from error


def _error(field: str, reason: str) -> dict[str, JsonValue]:
    return {"in": "body", "field": field, "reason": reason}


def _read_through(file: BinaryIO) -> tuple[str, bytes]:
    digest, head = hashlib.sha256(), b""
    file.seek(0)
    while piece := file.read(CHUNK_BYTES):
        digest.update(piece)
        head = head or piece[:HEAD_BYTES]
    return digest.hexdigest(), head


def _shown_name(filename: str | None) -> str | None:
    """The name as the browser gave it, only ever shown: never a path on our side."""
    return filename.encode("utf-8", "replace").decode()[-255:] if filename else None

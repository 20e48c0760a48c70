"""tus 1.0.0 (https://tus.io/protocols/resumable-upload): its headers, read and written, not what follows from them."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated, Any, Final

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute

from omnify_files.errors import BadUpload, NotAChunk, WrongVersion
from omnify_files.kinds import MAX_SIZE
from omnify_shared.problems import Problem

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,checksum,termination"
ALGORITHMS: Final = {"sha256": hashlib.sha256, "sha1": hashlib.sha1}
CHUNK_TYPE: Final = "application/offset+octet-stream"
MAX_METADATA: Final = 2048  # characters
ABOUT: Final = {
    "Tus-Resumable": VERSION,
    "Tus-Version": VERSION,
    "Tus-Extension": EXTENSIONS,
    "Tus-Max-Size": str(MAX_SIZE),
    "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
}
Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request should hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> Any:
        """A fresh hash object of the algorithm."""
        return ALGORITHMS[self.algorithm]()


def number(name: str, value: str | None) -> int:
    """A header that counts bytes. Raises BadUpload."""
    if value is None:
        raise BadUpload(f"{name}: is missing")
    if not (value.isascii() and value.isdecimal() and len(value) <= 15):
        raise BadUpload(f"{name}: must be a whole number of bytes")
    return int(value)


def metadata(value: str | None) -> dict[str, str]:
    """`Upload-Metadata`: names and texts in base64. Raises BadUpload."""
    if value is None:
        raise BadUpload("Upload-Metadata: is missing; send `filename` and `purpose`")
    if len(value) > MAX_METADATA:
        raise BadUpload(f"Upload-Metadata: at most {MAX_METADATA} characters")
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in value.split(","))):
        name, _, encoded = pair.partition(" ")
        if name in found:
            raise BadUpload("Upload-Metadata: a name stands there twice")
        try:
            found[name] = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise BadUpload("Upload-Metadata: every value must be base64 of UTF-8") from error
    return found


def checksum(value: str | None) -> Checksum | None:
    """`Upload-Checksum`: an algorithm of ours and a digest in base64. Raises BadUpload."""
    if value is None:
        return None
    algorithm, _, encoded = value.partition(" ")
    if algorithm not in ALGORITHMS:
        raise BadUpload(f"Upload-Checksum: the algorithm is one of {', '.join(ALGORITHMS)}")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadUpload("Upload-Checksum: the digest must be base64") from error
    if len(digest) != ALGORITHMS[algorithm]().digest_size:
        raise BadUpload(f"Upload-Checksum: not the length of a {algorithm} digest")
    return Checksum(algorithm, digest)


def chunk_type(value: str | None) -> None:
    """Raises NotAChunk unless the body is declared as a part of an upload."""
    if (value or "").partition(";")[0].strip().lower() != CHUNK_TYPE:
        raise NotAChunk(f"Content-Type must be {CHUNK_TYPE}")


def moment(when: datetime) -> str:
    """A date as HTTP writes it (RFC 9110 §5.6.7)."""
    return format_datetime(when, usegmt=True)


async def speaks(
    tus_resumable: Annotated[str | None, Header(description=f"`{VERSION}`; anything else is a 412.")] = None,
) -> None:
    """Dependency: a caller who speaks this version. Raises WrongVersion."""
    if tus_resumable != VERSION:
        raise WrongVersion(f"send Tus-Resumable: {VERSION}", headers=ABOUT)


class TusRoute(APIRoute):
    """A route that names the version of tus in every answer."""

    def get_route_handler(self) -> Endpoint:
        """Wraps FastAPI's handler."""
        handle = super().get_route_handler()

        async def speaking(request: Request) -> Response:
            try:
                response = await handle(request)
            except Problem as problem:
                problem.headers.setdefault("Tus-Resumable", VERSION)
                raise
            response.headers.setdefault("Tus-Resumable", VERSION)
            return response

        return speaking

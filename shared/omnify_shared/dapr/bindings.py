"""Output bindings, used as stores of objects: bytes under names, through the sidecar's gRPC API.

Each kind of binding calls an object's name differently and tells of a missing one in a text of its own; both stay in
here. What is stored comes back byte by byte only if the binding can't take it for something else: see `_FRAME`.
"""

from collections.abc import Iterable

from dapr.clients.exceptions import DaprGrpcError
from dapr.proto import api_v1
from grpc import RpcError

from omnify_shared.access import UndeclaredUse
from omnify_shared.dapr.sidecar import Sidecar, translate

# Bindings unquote data that looks like a quoted text, and localstorage decodes whatever happens to be base64. A first
# byte that neither may begin with keeps their hands off.
_FRAME = b"\x01"
# What localstorage, s3, azure.blobstorage and gcp.bucket call the name of an object.
_NAMES = ("fileName", "key", "blobName")
_MISSING = ("not found", "no such file", "notfound", "doesn't exist", "does not exist")
LARGEST = 2 * 1024 * 1024  # bytes of one object, well below the 4 MiB that a sidecar takes per message
TIMEOUT = 20.0  # seconds


class MissingObject(LookupError):
    """The store has no object of that name."""


class ObjectStore:
    """One output binding. Every method raises SidecarUnavailable while the sidecar or the store is down."""

    def __init__(self, sidecar: Sidecar, name: str) -> None:
        self._sidecar = sidecar
        self._name = name

    async def put(self, name: str, data: bytes) -> None:
        """Stores an object of at most LARGEST bytes, over whatever was there; not atomic where the store is not."""
        if len(data) > LARGEST:
            raise ValueError(f"an object may have {LARGEST} bytes, not {len(data)}")
        await self._invoke("create", name, _FRAME + data)

    async def get(self, name: str) -> bytes:
        """The bytes of an object. Raises MissingObject."""
        data = await self._invoke("get", name)
        if data[:1] != _FRAME:
            raise MissingObject(name)  # one whose writing was cut off before its first byte
        return data[1:]

    async def delete(self, name: str) -> None:
        """Deletes an object; a missing one is no error."""
        try:
            await self._invoke("delete", name)
        except MissingObject:
            return

    async def _invoke(self, operation: str, name: str, data: bytes = b"") -> bytes:
        request = api_v1.InvokeBindingRequest(
            name=self._name, operation=operation, data=data, metadata=dict.fromkeys(_NAMES, name)
        )
        try:
            answer = await self._sidecar.client.invoke(request, TIMEOUT)
        except (DaprGrpcError, RpcError) as error:
            if any(sign in str(error.details()).lower() for sign in _MISSING):
                raise MissingObject(name) from error
            raise translate(error) from error
        return bytes(answer.data)


class Bindings:
    """The bindings that this app declares (access.py)."""

    def __init__(self, sidecar: Sidecar, declared: Iterable[str]) -> None:
        self._sidecar = sidecar
        self._declared = frozenset(declared)

    def objects(self, name: str) -> ObjectStore:
        """The binding as a store of objects. Raises UndeclaredUse, which is a defect."""
        if name not in self._declared:
            raise UndeclaredUse(f"binding {name!r} is used and not declared: see access.py")
        return ObjectStore(self._sidecar, name)

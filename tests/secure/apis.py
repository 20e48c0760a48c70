"""The sidecar's APIs as an app may use or not use them, and ways to ask for each."""

from collections.abc import Iterator
from typing import Any

import grpc.aio
from dapr.proto.runtime.v1 import dapr_pb2

from omnify_shared.testing import Sidecar

DAPR = "/dapr.proto.runtime.v1.Dapr"
# What each entry of an allow list opens (daprd 1.18, pkg/api/grpc/endpoints.go).
GRPC = {
    "state": {
        "GetState", "GetBulkState", "SaveState", "DeleteState", "DeleteBulkState", "ExecuteStateTransaction",
    },
    "publish": {"PublishEvent", "BulkPublishEvent"},
    "secrets": {"GetSecret", "GetBulkSecret"},
    "bindings": {"InvokeBinding"},
}  # fmt: skip
HTTP = {
    "invoke": [("GET", "/v1.0/invoke/files/method/x")],
    "metadata": [("GET", "/v1.0/metadata"), ("PUT", "/v1.0/metadata/note")],
    "state": [
        ("GET", "/v1.0/state/statestore/k"), ("POST", "/v1.0/state/statestore"), ("PUT", "/v1.0/state/statestore/bulk"),
        ("POST", "/v1.0/state/statestore/transaction"), ("POST", "/v1.0-alpha1/state/statestore/query"),
    ],
    "publish": [("POST", "/v1.0/publish/pubsub/auth-events"), ("POST", "/v1.0/publish/bulk/pubsub/auth-events")],
    "secrets": [("GET", "/v1.0/secrets/secretstore/auth-pepper"), ("GET", "/v1.0/secrets/secretstore/bulk")],
    "bindings": [("POST", "/v1.0/bindings/any")],
    "actors": [("POST", "/v1.0/actors/any/1/method/go"), ("PUT", "/v1.0/actors/any/1/reminders/r")],
    "configuration": [("GET", "/v1.0/configuration/any")],
    "lock": [("POST", "/v1.0-alpha1/lock/any"), ("POST", "/v1.0-alpha1/unlock/any")],
    "crypto": [("PUT", "/v1.0-alpha1/crypto/any/encrypt")],
    "workflows": [("POST", "/v1.0/workflows/any/flow/start"), ("GET", "/v1.0/workflows/any/1")],
    "jobs": [("POST", "/v1.0/jobs/any"), ("POST", "/v1.0-alpha1/jobs/any")],
    "conversation": [("POST", "/v1.0-alpha1/conversation/any/converse")],
    "shutdown": [("POST", "/v1.0/shutdown")],
}  # fmt: skip


def methods() -> Iterator[tuple[str, bool, bool]]:
    """Every method of the gRPC API that the SDK knows: its name, and whether request and answer are streams."""
    for method in dapr_pb2.DESCRIPTOR.services_by_name["Dapr"].methods:
        yield method.name, method.client_streaming, method.server_streaming


def channel(sidecar: Sidecar) -> grpc.aio.Channel:
    """To the sidecar's gRPC API."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{sidecar.ports.grpc}")


def token(sidecar: Sidecar) -> tuple[tuple[str, str], ...]:
    """What proves the app."""
    return (("dapr-api-token", sidecar.tokens.api),)


async def answer(
    to: grpc.aio.Channel, name: str, request: Any = None, *, stream: tuple[bool, bool] = (False, False), metadata: Any
) -> str:
    """`ok`, `refused` for an API that is not on the list (daprd then calls it unimplemented), or the error's code."""
    body = request.SerializeToString() if request is not None else b""
    path = f"{DAPR}/{name}"
    match stream:
        case (False, False):
            call = to.unary_unary(path)(body, metadata=metadata, timeout=20)
        case (False, True):
            call = to.unary_stream(path)(body, metadata=metadata, timeout=20)
        case _:
            call = to.stream_stream(path)(iter(()), metadata=metadata, timeout=20)
    code = await call.code()
    if code == grpc.StatusCode.OK:
        return "ok"
    return "refused" if code == grpc.StatusCode.UNIMPLEMENTED else str(code.name)

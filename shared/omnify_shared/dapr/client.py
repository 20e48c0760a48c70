"""The Dapr SDK's asynchronous gRPC client, fit for a server: it neither blocks at birth nor waits without end.

The SDK's constructor waits for the sidecar with blocking calls, its calls have no deadline, its channel may back off
for two minutes after a restart of the sidecar, and its interceptors cost a task per call each. This subclass makes the
channel itself and gives each call its deadline and token directly. It stands on names of the pinned SDK (1.18.3) that
are not public; `tests/conformance` fails when they change.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import grpc.aio
from dapr.aio.clients.grpc.client import DaprGrpcClientAsync
from dapr.clients.grpc._channel import resolve_grpc_endpoint, silence_grpc_aio_poller_noise
from dapr.clients.retry import RetryPolicy
from dapr.proto import api_service_v1

from omnify_shared.context import current_traceparent, new_traceparent
from omnify_shared.dapr.endpoints import Endpoint

CALL_TIMEOUT = 5.0  # seconds
MAX_MESSAGE = 16 * 1024 * 1024  # bytes; the sidecar's own limit is the lower one
_CHANNEL = (
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),
)


class _Stub:
    """The generated stub, with a deadline, the sidecar's token and, if wanted, the trace on every call."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Mapping[str, str], traced: bool) -> None:
        self._stub = api_service_v1.DaprStub(channel)
        self._metadata = tuple(metadata.items())
        self._traced = traced

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._stub, name)

        def call(request: Any, metadata: Any = None, timeout: float = CALL_TIMEOUT) -> Any:
            trace = _trace() if self._traced else ()
            return method(request, metadata=(*self._metadata, *trace, *(metadata or ())), timeout=timeout)

        setattr(self, name, call)
        return call


def _channel_to(api: Endpoint) -> grpc.aio.Channel:
    if api.tls:
        return grpc.aio.secure_channel(api.authority, grpc.ssl_channel_credentials(), options=_CHANNEL)
    return grpc.aio.insecure_channel(api.authority, options=_CHANNEL)


def _trace() -> tuple[tuple[str, str], ...]:
    """The trace of the request in hand; upkeep outside requests, several calls a second, is sent as not sampled."""
    return (("traceparent", current_traceparent() or f"{new_traceparent()[:-2]}00"),)


class SidecarClient(DaprGrpcClientAsync):  # type: ignore[misc]  # the SDK is not typed
    """A client of the sidecar's gRPC API; `metadata` goes with every call, and the trace if `traced`."""

    def __init__(self, api: Endpoint, metadata: Mapping[str, str], *, traced: bool = False) -> None:
        silence_grpc_aio_poller_noise()
        self.retry_policy = RetryPolicy()
        self._uri = resolve_grpc_endpoint(f"{api.authority}?tls={str(api.tls).lower()}")
        self._channel = _channel_to(api)
        self._stub = _Stub(self._channel, metadata, traced)

    async def invoke(self, request: Any, seconds: float) -> Any:
        """The answer of an output binding. The SDK's own method gives it no deadline of its own."""
        return await self._stub.InvokeBinding(request, timeout=seconds)

    @property
    def is_connected(self) -> bool:
        """Whether the channel is connected, as far as is known without asking."""
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def connected(self, seconds: float) -> bool:
        """Whether the channel is connected, waiting up to `seconds` for it."""
        try:
            async with asyncio.timeout(seconds):
                await self._channel.channel_ready()
        except TimeoutError:
            return False
        return True

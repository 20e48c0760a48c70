"""AWS Lambda: API Gateway v2 and function URLs to a door, SQS and Kafka batches to a consumer, a schedule to `upkeep`.

handler = aws.door("signup")          # lambda_function.py
handler = aws.consumer("mail")
upkeep = aws.upkeep("mail")
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from omnify_functions.catalogue import find
from omnify_functions.host import Host

if TYPE_CHECKING:
    from mangum.types import LambdaContext

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]


class NotDone(RuntimeError):
    """The invocation has failed as a whole, so that its source delivers all of it again."""


class _Loop:
    """One event loop for the life of the process: connections belong to the loop that made them."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def current(self) -> asyncio.AbstractEventLoop:
        """The loop, which is also the one that `asyncio.get_event_loop` names."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`."""
        return self.current().run_until_complete(work)


_loop = _Loop()


def door(name: str) -> Handler:
    """The handler of a function that is a door."""
    function, adapters = find(name), list[Any]()

    def handler(event: Any, context: "LambdaContext") -> Any:
        _loop.current()
        if not adapters:
            from mangum import Mangum
            from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

            from omnify_functions.doors import Door

            texts = [*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"]
            app = Door(Host(function), function, proxies=0)
            adapters.append(Mangum(app, lifespan="off", text_mime_types=texts))
        return adapters[0](event, context)

    return handler


def consumer(name: str) -> Handler:
    """The handler of a function that consumes events.

    Of SQS messages it names those that are not done; the event source has to ask for that (ReportBatchItemFailures).
    When none is done, or one Kafka record is not, it fails as a whole: that is right with any setting, and those that
    are done change nothing when they come again.
    """
    function, hosts = find(name), list[Host]()

    def handler(event: Mapping[str, Any], context: "LambdaContext") -> dict[str, Any]:
        if not hosts:
            _loop.current()
            hosts.append(Host(function))
        return _loop.run(_consume(hosts[0], event))

    return handler


async def _consume(host: Host, delivery: Mapping[str, Any]) -> dict[str, Any]:
    from omnify_functions import shapes
    from omnify_functions.consumers import Consumer

    if shapes.is_kafka(delivery):
        ids, events = [], list(shapes.kafka(delivery))
    else:
        ids, events = map(list, zip(*shapes.sqs(delivery), strict=True))
    done = await Consumer(host).take(events)
    if not all(done) and (not ids or not any(done)):
        raise NotDone(f"{done.count(False)} of {len(done)} events are to be delivered again")
    left = [found for found, taken in zip(ids, done, strict=False) if not taken]
    return {"batchItemFailures": [{"itemIdentifier": found} for found in left]}


def upkeep(name: str) -> Handler:
    """The handler of a schedule."""
    function = find(name)

    def handler(event: Any, context: "LambdaContext") -> dict[str, str]:
        from omnify_functions.upkeep import upkeep as run

        return _loop.run(run(function.service))

    return handler

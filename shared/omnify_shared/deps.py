"""FastAPI dependencies that every service needs."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastapi import Request

S = TypeVar("S")


def service_of(cls: type[S]) -> Callable[[Request], Awaitable[S]]:
    """Dependency: the service object that the app's `build` made."""

    # async, although it awaits nothing: FastAPI sends a plain function to a thread, 0.3 ms on every request.
    async def get(request: Request) -> S:
        service = request.app.state.service
        if not isinstance(service, cls):
            raise TypeError(f"the app's service is a {type(service).__name__}, not a {cls.__name__}")
        return service

    return get

"""A strict stand-in for a service behind its sidecar, run as a process of its own: it tells what reached it."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

SERVICE = os.environ["APP_ID"]
app = FastAPI(title=f"Stand-in for {SERVICE}")


class Thing(BaseModel):
    name: str
    price: int


@app.middleware("http")
async def only_from_the_sidecar(request: Request, call_next):  # type: ignore[no-untyped-def]
    if (
        request.headers.getlist("dapr-api-token") != [os.environ["APP_API_TOKEN"]]
        and request.url.path != "/health/live"
    ):
        return JSONResponse({"detail": "not from the sidecar"}, status_code=418)
    return await call_next(request)


@app.get("/health/live")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.post(f"/api/{SERVICE}/things")
async def make(thing: Thing) -> Thing:
    return thing


@app.get("/.well-known/jwks.json")
async def jwks() -> Response:
    return JSONResponse({"keys": []}, headers={"cache-control": "public, max-age=300"})


@app.post(f"/api/{SERVICE}/upload", include_in_schema=False)
@app.post(f"/api/{SERVICE}/imports/upload", include_in_schema=False)
async def upload(request: Request) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        size += len(piece)
    return {"size": size, "sha256": digest.hexdigest(), "headers": dict(request.headers)}


@app.get(f"/api/{SERVICE}/ticks", include_in_schema=False)
async def ticks(count: int = 3, pause: float = 0.3) -> Response:
    async def events() -> AsyncIterator[str]:
        for number in range(count):
            yield f"data: {number}\n\n"
            await asyncio.sleep(pause)

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get(f"/api/{SERVICE}/bytes", include_in_schema=False)
async def some_bytes(size: int) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, 65536):
            yield b"x" * min(65536, size - start)

    return StreamingResponse(pieces(), media_type="application/octet-stream")


@app.get(f"/api/{SERVICE}/slow", include_in_schema=False)
async def slow(seconds: float) -> dict[str, bool]:
    await asyncio.sleep(seconds)
    return {"done": True}


@app.get(f"/api/{SERVICE}/status/{{code}}", include_in_schema=False)
async def status(code: int) -> Response:
    return JSONResponse({"status": code}, status_code=code, media_type="application/problem+json")


@app.get(f"/api/{SERVICE}/empty", include_in_schema=False, status_code=204)
async def empty() -> None:
    return None


@app.get(f"/api/{SERVICE}/headers", include_in_schema=False)
async def own_headers() -> Response:
    headers = {
        "connection": "x-private",
        "x-private": "1",
        "x-public": "2",
        "x-frame-options": "ALLOWALL",
        "cache-control": "private, max-age=5",
        "set-cookie": "a=b; HttpOnly",
        "x-request-id": "of-the-service",
    }
    return JSONResponse({}, headers=headers)


@app.get(f"/api/{SERVICE}/die", include_in_schema=False)
async def die() -> None:
    os._exit(7)


@app.api_route(
    "/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False
)
async def echo(request: Request) -> dict[str, object]:
    return {
        "service": SERVICE,
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in request.headers.raw],
        "body": (await request.body()).decode(),
    }


def create_app() -> FastAPI:
    return app

"""A strict stand-in for auth, run as a process of its own beside a real sidecar.

The verification id says what happens: `gone` is unknown, `slow-…` answers when a file of that name appears in the
folder STAND_IN_FOLDER, any other gets a fresh token. A letter's id begins
with its kind. The address is in the id: `<anything>--<local part>`.
"""

import asyncio
import json
import os
from itertools import count
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request

FOLDER = Path(os.environ["STAND_IN_FOLDER"])
VALUES = {
    "new_device": {"device": "Firefox on Linux", "network": "203.0.113.0/24", "at": "23 November 2026, 16:00 UTC"},
    "invitation": {"inviter": "Ada Lovelace", "organization": "Bits & Bytes, Ltd."},
    "factors_changed": {"news": "a passkey was added", "at": "23 November 2026, 16:00 UTC"},
    "many_failures": {"failures": "7"},
}


def strict(request: Request) -> None:
    headers = request.headers
    if headers.getlist("dapr-api-token") != [os.environ["APP_API_TOKEN"]]:
        raise HTTPException(401, "not from the sidecar")
    if headers.getlist("dapr-caller-app-id") != ["email"]:
        raise HTTPException(403, "only email may ask")


def create_app() -> FastAPI:
    app = FastAPI()
    tokens = count(1)

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/.well-known/jwks.json")
    async def keys(request: Request) -> dict[str, object]:
        strict(request)
        found: dict[str, object] = json.loads((FOLDER / "jwks.json").read_text())
        return found

    @app.post("/internal/verifications/{verification_id}/token")
    async def mint(verification_id: str, request: Request) -> dict[str, str]:
        strict(request)
        if verification_id.startswith("gone"):
            raise HTTPException(404, "no such verification")
        if verification_id.startswith("slow"):
            (FOLDER / f"{verification_id}.asked").touch()
            while not (FOLDER / verification_id).exists():
                await asyncio.sleep(0.02)
        return {
            "email": f"{verification_id.rpartition('--')[2]}@shop.example",
            "full_name": "Ana <b>Silva</b>" if "odd" in verification_id else "Ana Silva",
            "token": f"tok+{next(tokens)}/x",
            "expires_at": "2026-11-23T16:00:00Z",
        }

    @app.post("/internal/letters/{letter_id}")
    async def letter(letter_id: str, request: Request) -> dict[str, object]:
        strict(request)
        if letter_id.startswith("gone"):
            raise HTTPException(404, "no such letter")
        kind = letter_id.partition("--")[0]
        linked = kind == "password_reset"
        return {
            "kind": kind,
            "email": f"{letter_id.rpartition('--')[2]}@shop.example",
            "full_name": "Ana Silva",
            "token": f"tok+{next(tokens)}/x" if linked else None,
            "expires_at": "2026-11-23T16:00:00Z" if linked else None,
            "values": VALUES.get(kind, {}),
        }

    @app.get("/internal/users/{user_id}/contact")
    async def contact(user_id: str, request: Request) -> dict[str, str]:
        strict(request)
        return {"email": f"{user_id.rpartition('--')[2]}@shop.example", "full_name": "Ana Silva"}

    return app

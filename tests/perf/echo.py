"""The floor of every call: a bare FastAPI app that answers at once."""

from fastapi import FastAPI


def create_app() -> FastAPI:
    """Made by a factory, as the services are."""
    app = FastAPI()

    @app.get("/health/live")
    @app.get("/echo")
    async def echo() -> dict[str, str]:
        return {"message": "hello"}

    return app

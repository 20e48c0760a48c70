"""Dependencies of the routes."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from omnify_auth.devices import Client
from omnify_auth.service import AuthService
from omnify_shared.deps import service_of
from omnify_shared.identity import LimitedPrincipal
from omnify_shared.languages import asked_for
from omnify_shared.networks import client_address
from omnify_shared.problems import Forbidden

NO_STORE = {"Cache-Control": "no-store"}
ServiceDep = Annotated[AuthService, Depends(service_of(AuthService))]
_LONGEST_AGENT = 512  # characters


async def from_own_sidecar(request: Request) -> None:
    """Dependency of operators' routes: the call came from this app's own sidecar, whose API token an operator has.

    The sidecar of any other app names its app, whatever the caller says. Raises Forbidden.
    """
    if request.headers.getlist("dapr-caller-app-id"):
        raise Forbidden("only operators may call this, through auth's own sidecar")


async def client_of(request: Request) -> Client:
    """Dependency: who asks, as the server saw it."""
    agent = request.headers.get("user-agent")
    address = client_address(request.headers.get("x-forwarded-for"))
    return Client(address=address, user_agent=agent[:_LONGEST_AGENT] if agent else None)


async def language_of(accept_language: Annotated[str | None, Header(max_length=1024)] = None) -> str | None:
    """Dependency: the language that the client asks for first."""
    return next(iter(asked_for(accept_language)), None)


LanguageDep = Annotated[str | None, Depends(language_of)]
ClientDep = Annotated[Client, Depends(client_of)]


async def others_ended(
    principal: LimitedPrincipal,
    service: ServiceDep,
    end_other_sessions: Annotated[
        bool, Query(description="Whether the user's other sessions end everywhere within seconds.")
    ] = False,
) -> AsyncIterator[None]:
    """Dependency of what changes factors: when that is done, ends the user's other sessions, if they ask for it."""
    yield
    if end_other_sessions:
        await service.session_list.end_all(principal.user_id, kept=principal.session_id)


CHANGES_FACTORS = [Depends(others_ended, scope="function")]

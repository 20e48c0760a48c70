"""What the pages' routes share: the browser's cookie, forms that only our pages can send, errors as pages."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from authlib.oauth2 import OAuth2Error
from fastapi import Request, Response
from fastapi.routing import APIRoute

from omnify_auth.browsers import COOKIE, new_cookie
from omnify_auth.oauth_forms import Form, form_of
from omnify_auth.pages import Fields, message
from omnify_auth.service import AuthService
from omnify_auth.service.browsers import Visitor
from omnify_shared import clock
from omnify_shared.problems import Forbidden, Problem

_RETRY = ("Retry-After",)


class StrangeForm(Forbidden):
    type, title = "strange-form", "This page is too old"

    def __init__(self) -> None:
        super().__init__("Go back to the app and begin again there.")


class PageRoute(APIRoute):
    """A route for people: what goes wrong is said on a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def on_page(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return message(problem.title, problem.detail, problem.status, retry_of(problem))
            except OAuth2Error as error:
                return message("The app's request can't be answered", str(error.description or error.error), 400)

        return on_page


@dataclass
class Visit:
    """One request of a browser: `request` is the query that the app sent it with, `began` when."""

    request: str
    began: str
    cookie: str
    known: bool
    """Whether the browser has the cookie already."""
    visitor: Visitor | None

    @property
    def began_at(self) -> datetime:
        return datetime.fromtimestamp(float(self.began), UTC)

    async def fields(self, service: AuthService) -> Fields:
        token = await service.browsers.form_token(self.cookie, self.began, self.request)
        return Fields(self.request, self.began, token)

    def kept(self, response: Response) -> Response:
        """The answer, with the cookie where the browser lacks it."""
        if not self.known:
            response.set_cookie(COOKIE, self.cookie, secure=True, httponly=True, samesite="lax", path="/")
        return response


async def arrived(request: Request, service: AuthService) -> Visit:
    """A browser that follows an app's link."""
    cookie = request.cookies.get(COOKIE)
    visitor = await service.browsers.visitor(cookie)
    query, began = request.scope["query_string"].decode("latin-1"), f"{clock.now().timestamp():.6f}"
    return Visit(query, began, cookie or new_cookie(), bool(cookie), visitor)


async def sent(request: Request, service: AuthService) -> tuple[Visit, Form]:
    """A form of ours, and what it says. Raises StrangeForm for anybody else's (OWASP: token, cookie and origin)."""
    form, cookie = await form_of(request), request.cookies.get(COOKIE)
    began, asked = form.get("began", ""), form.get("request", "")
    ours = request.headers.get("origin") in service.page_origins
    if not ours or not await service.browsers.is_ours(cookie, began, asked, form.get("form_token", "")):
        raise StrangeForm
    assert cookie is not None  # noqa: S101 - narrows the type: without one no form is ours
    return Visit(asked, began, cookie, True, await service.browsers.visitor(cookie)), form


def retry_of(problem: Problem) -> dict[str, str]:
    """The headers of a problem that a page keeps."""
    return {name: value for name, value in problem.headers.items() if name in _RETRY}

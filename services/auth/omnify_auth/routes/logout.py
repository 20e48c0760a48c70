"""`/oauth/logout`: an app asks to sign its user out of Omnify (OpenID Connect RP-Initiated Logout 1.0)."""

from authlib.common.urls import add_params_to_uri
from fastapi import APIRouter, Request, Response

from omnify_auth.browsers import COOKIE
from omnify_auth.clients import OAuthClient
from omnify_auth.deps import ServiceDep
from omnify_auth.errors import UnprovenRequest
from omnify_auth.oauth_forms import Form, fields, form_of
from omnify_auth.pages import message, page, sent_to
from omnify_auth.redirects import is_registered, origin
from omnify_auth.routes.browser_forms import PageRoute, arrived, sent
from omnify_auth.service import AuthService

router = APIRouter(prefix="/oauth/logout", route_class=PageRoute, include_in_schema=False)


@router.get("")
async def logout(request: Request, service: ServiceDep) -> Response:
    """Asks the person first: anybody could have sent them here."""
    visit = await arrived(request, service)
    asked = fields(visit.request)
    client, back = await _target(asked, service)
    if visit.visitor is None:
        return _signed_out(back)
    made = page(
        "sign_out",
        app=client.name if client else None,
        email=visit.visitor.user.email,
        form=await visit.fields(service),
        leads_to=(origin(back),) if back else (),
    )
    return visit.kept(made)


@router.post("")
async def decided(request: Request, service: ServiceDep) -> Response:
    """What the person decided; an app's own form is made a link, as at the authorization endpoint."""
    form = await form_of(request)
    if "form_token" not in form:
        kept = {name: value for name, value in form.items() if name in _PARAMETERS}
        return sent_to(add_params_to_uri("/oauth/logout", [*kept.items()]))
    visit, form = await sent(request, service)
    _, back = await _target(fields(visit.request), service)
    if form.get("decision") != "sign_out":
        return message("You are still signed in", "Nothing was changed. You can close this page.")
    await service.browsers.sign_out(visit.cookie)
    answer = _signed_out(back)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


_PARAMETERS = ("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales")


async def _target(asked: Form, service: AuthService) -> tuple[OAuthClient | None, str | None]:
    """The app that asks, and its proven address to go back to. Raises UnprovenRequest for any other address."""
    hint = await service.authorization.hinted(asked["id_token_hint"]) if "id_token_hint" in asked else None
    said, known = asked.get("client_id"), str(hint["aud"]) if hint else None
    if said and known and said != known:
        raise UnprovenRequest("The app gave an ID token of another app.")
    client = await service.clients.living(said or known or "")
    uri = asked.get("post_logout_redirect_uri")
    if uri is None:
        return client, None
    if client is None or not is_registered(uri, client.post_logout_redirect_uris):
        raise UnprovenRequest("The app asks to go back to an address that is not registered for it.")
    state = [("state", asked["state"])] if "state" in asked else []
    return client, add_params_to_uri(uri, state)


def _signed_out(back: str | None) -> Response:
    return sent_to(back) if back else message("You are signed out", "You can close this page.")

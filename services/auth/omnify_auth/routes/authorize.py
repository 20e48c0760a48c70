"""`/oauth/authorize`: where apps send people (OAuth 2.1 §4.1, OpenID Connect Core §3.1.2), page by page."""

import json
from typing import Any
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import AccessDeniedError, InvalidRequestError
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from omnify_auth.authorization_request import AuthorizationRequest, read
from omnify_auth.clients import OAuthClient
from omnify_auth.deps import ClientDep, ServiceDep
from omnify_auth.errors import InvalidChallenge, MfaRequired
from omnify_auth.oauth_forms import Form, fields, form_of
from omnify_auth.pages import PASSKEY_SCRIPT, page, sent_to
from omnify_auth.redirects import origin
from omnify_auth.routes.browser_forms import PageRoute, Visit, arrived, retry_of, sent
from omnify_auth.schemas.sessions import LoginIn
from omnify_auth.scope_words import in_words
from omnify_auth.service import AuthService
from omnify_auth.service.second_factor import Proof
from omnify_auth.service.sessions import SignedIn
from omnify_shared.problems import Problem, Unprocessable

router = APIRouter(prefix="/oauth/authorize", route_class=PageRoute, include_in_schema=False)
_STOPPED = {
    "not_member": ("Another account is needed", "The app is for people of its organisation, and this account is not."),
    "enrol": ("A second factor is needed", "The organisation asks for one: set it up in Omnify first."),
}


@router.get("")
async def authorize(request: Request, service: ServiceDep) -> Response:
    """Where an app's link leads: to a page, or straight back when nothing has to be asked."""
    return await _go_on(await arrived(request, service), service)


@router.post("")
async def authorize_by_form(request: Request) -> Response:
    """The same request as a form. It is made a link: with that, browsers bring their cookie along."""
    return sent_to("/oauth/authorize?" + urlencode(await form_of(request)))


@router.post("/sign-in")
async def sign_in(request: Request, client: ClientDep, service: ServiceDep) -> Response:
    """The first step."""
    visit, form = await sent(request, service)
    try:
        typed = LoginIn(email=form.get("email", ""), password=form.get("password", ""))
        with service.logins.counted():
            return await _signed_in(visit, service, await service.sign_in.login(typed.email, typed.password, client))
    except ValidationError:
        return await _sign_in_page(visit, service, Unprocessable("Type your address and your password."), form)
    except MfaRequired as wanted:
        return await _second_step_page(visit, service, wanted)
    except Problem as problem:
        return await _sign_in_page(visit, service, problem, form)


@router.post("/second-step")
async def second_step(request: Request, client: ClientDep, service: ServiceDep) -> Response:
    """A code of an authenticator app, or a recovery code."""
    visit, form = await sent(request, service)
    token, proof = form.get("mfa_token", ""), Proof(form.get("code"), form.get("recovery_code"))
    try:
        with service.logins.counted():
            return await _signed_in(visit, service, await service.second_step.login(token, proof, client))
    except InvalidChallenge as problem:
        return await _sign_in_page(visit, service, problem, form)
    except Problem as problem:
        return await _second_step_again(visit, service, token, problem)


@router.post("/passkey")
async def passkey(request: Request, client: ClientDep, service: ServiceDep) -> Response:
    """A passkey, alone or as the second step."""
    visit, form = await sent(request, service)
    try:
        credential = json.loads(form.get("credential", "null"))
    except ValueError:
        credential = None
    shown = credential if isinstance(credential, dict) else {}
    try:
        with service.logins.counted():
            made = service.second_step.passkey(form.get("mfa_token"), form.get("ceremony_id", "-"), shown, client)
            return await _signed_in(visit, service, await made)
    except Problem as problem:
        return await _sign_in_page(visit, service, problem, form)


@router.post("/other-account")
async def other_account(request: Request, service: ServiceDep) -> Response:
    """Signs out at this browser, to sign in as somebody else."""
    visit, form = await sent(request, service)
    await service.browsers.sign_out(visit.cookie)
    visit.visitor = None
    return await _sign_in_page(visit, service, None, form)


@router.post("/consent")
async def consent(request: Request, service: ServiceDep) -> Response:
    """What the person decided."""
    visit, form = await sent(request, service)
    asked = fields(visit.request)
    client, redirect_uri = await service.authorization.target(asked)
    if form.get("decision") != "allow":
        return _answered(service, asked, redirect_uri, AccessDeniedError("the user did not allow it"))
    wanted = read(asked, client, redirect_uri)
    step = await service.authorization.next_step(wanted, visit.visitor, visit.began_at, consented=True)
    if step is None and visit.visitor:
        await service.app_grants.give(visit.visitor.user.user_id, client, wanted.scope)
        return await _granted(visit, service, asked, wanted)
    return await _go_on(visit, service)


@router.get("/passkey.js")
async def passkey_script() -> Response:
    """The one script of the pages."""
    return Response(PASSKEY_SCRIPT, media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"})


async def _go_on(visit: Visit, service: AuthService) -> Response:
    """The next page, or the answer to the app."""
    asked = fields(visit.request)
    client, redirect_uri = await service.authorization.target(asked)
    try:
        wanted = read(asked, client, redirect_uri)
        step = await service.authorization.next_step(wanted, visit.visitor, visit.began_at)
    except OAuth2Error as error:
        return _answered(service, asked, redirect_uri, error)
    if step is None:
        return await _granted(visit, service, asked, wanted)
    if step == "sign_in":
        return await _sign_in_page(visit, service, None, {"email": asked.get("login_hint", "")})
    return await _page(visit, service, step, client, wanted)


async def _signed_in(visit: Visit, service: AuthService, made: SignedIn) -> Response:
    visit.cookie, visit.visitor = await service.browsers.signed_in(visit.cookie, made)
    visit.known = False
    return await _go_on(visit, service)


async def _page(
    visit: Visit, service: AuthService, step: str, client: OAuthClient, wanted: AuthorizationRequest
) -> Response:
    assert visit.visitor  # noqa: S101 - narrows the type: these pages are for who is signed in
    common: dict[str, Any] = {"form": await visit.fields(service), "email": visit.visitor.user.email}
    common["leads_to"] = (origin(wanted.redirect_uri),)
    if step in _STOPPED:
        heading, text = _STOPPED[step]
        return visit.kept(page("stopped", 403, heading=heading, text=text, **common))
    organization = await service.store.organizations.get(client.organization_id)
    made = page(
        "consent",
        app=client.name,
        organization=organization.name if organization else "its organisation",
        scopes=[in_words(scope) for scope in wanted.scope],
        goes_to=origin(wanted.redirect_uri),
        **common,
    )
    return visit.kept(made)


async def _sign_in_page(visit: Visit, service: AuthService, problem: Problem | None, typed: Form) -> Response:
    client, redirect_uri = await service.authorization.target(fields(visit.request))
    made = page(
        "sign_in",
        problem.status if problem else 200,
        app=client.name,
        email=typed.get("email", "")[:254],
        fault=f"{problem.title}: {problem.detail}." if problem else None,
        form=await visit.fields(service),
        scripted=True,
        leads_to=(origin(redirect_uri),),
        headers=retry_of(problem) if problem else None,
    )
    return visit.kept(made)


async def _second_step_page(
    visit: Visit, service: AuthService, wanted: MfaRequired, problem: Problem | None = None
) -> Response:
    _, redirect_uri = await service.authorization.target(fields(visit.request))
    made = page(
        "second_step",
        problem.status if problem else 200,
        methods=wanted.extensions["methods"],
        mfa_token=wanted.extensions["mfa_token"],
        fault=f"{problem.title}: {problem.detail}." if problem else None,
        form=await visit.fields(service),
        scripted=True,
        leads_to=(origin(redirect_uri),),
        headers=retry_of(problem) if problem else None,
    )
    return visit.kept(made)


async def _second_step_again(visit: Visit, service: AuthService, token: str, problem: Problem) -> Response:
    methods = await service.second_step.methods(token)
    return await _second_step_page(visit, service, MfaRequired(methods, token), problem)


async def _granted(visit: Visit, service: AuthService, asked: Form, wanted: AuthorizationRequest) -> Response:
    if visit.visitor is None:
        raise InvalidRequestError("nobody is signed in")
    code = await service.authorization.code(wanted, visit.visitor)
    return visit.kept(_back(service, asked, wanted.redirect_uri, {"code": code}))


def _answered(service: AuthService, asked: Form, redirect_uri: str, error: OAuth2Error) -> Response:
    """An error for the app, at its proven address."""
    text = error.description or error.get_error_description()
    return _back(service, asked, redirect_uri, {"error": error.error, **({"error_description": text} if text else {})})


def _back(service: AuthService, asked: Form, redirect_uri: str, answer: dict[str, str]) -> Response:
    """The way back to the app, with its state and who answers (RFC 9207)."""
    state = {"state": asked["state"]} if "state" in asked else {}
    return sent_to(add_params_to_uri(redirect_uri, [*(answer | state | {"iss": service.issuer}).items()]))

"""`/api/legal`: documents for everybody, and what the signed-in user accepted."""

from fastapi import APIRouter, Request, Response

from omnify_auth.deps import NO_STORE, ClientDep, ServiceDep
from omnify_auth.devices import Client
from omnify_auth.legal import Document, DocumentType
from omnify_auth.records import Consent
from omnify_auth.schemas.legal import AcceptancesOut, AcceptIn, ConsentOut, DocumentOut, DueListOut, DueOut, WithdrawIn
from omnify_auth.service.consents import Witness
from omnify_shared.identity import CurrentPrincipal, Principal

router = APIRouter(prefix="/api/legal", tags=["legal"])


@router.get("/acceptances")
async def acceptances(principal: CurrentPrincipal, service: ServiceDep, response: Response) -> AcceptancesOut:
    """All that the user accepted and withdrew, and what is to be accepted again."""
    response.headers.update(NO_STORE)
    consents = await service.consents.history(principal.user_id)
    shown = tuple(_consent(entry) for entry in reversed(consents.history))
    due = tuple(_due(document) for document in service.consents.due(consents))
    return AcceptancesOut(acceptances=shown, count=len(shown), due=due)


@router.get("/due")
async def due(principal: CurrentPrincipal, service: ServiceDep, response: Response) -> DueListOut:
    """The effective documents that the user has yet to accept, in a newer version or at all."""
    response.headers.update(NO_STORE)
    consents = await service.consents.history(principal.user_id)
    return DueListOut(due=tuple(_due(document) for document in service.consents.due(consents)))


async def _document(document_type: DocumentType, request: Request, service: ServiceDep) -> Response:
    found = service.consents.current(document_type)
    headers = {"Cache-Control": "public, max-age=300", "ETag": f'"{found.sha256}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = DocumentOut(
        document_type=found.document_type,
        version=found.version,
        effective_date=found.effective_date,
        content=found.content,
        sha256=found.sha256,
        acceptance_required=found.acceptance_required,
    )
    return Response(body.model_dump_json(), media_type="application/json", headers=headers)


@router.get("/terms", response_model=DocumentOut)
async def terms(request: Request, service: ServiceDep) -> Response:
    """The effective terms of use. For everybody, with an ETag."""
    return await _document("terms", request, service)


@router.get("/privacy", response_model=DocumentOut)
async def privacy(request: Request, service: ServiceDep) -> Response:
    """The effective privacy policy. For everybody, with an ETag."""
    return await _document("privacy", request, service)


@router.get("/cookie", response_model=DocumentOut)
async def cookie(request: Request, service: ServiceDep) -> Response:
    """The effective cookie policy. For everybody, with an ETag."""
    return await _document("cookie", request, service)


@router.post("/accept")
async def accept(form: AcceptIn, principal: CurrentPrincipal, client: ClientDep, service: ServiceDep) -> ConsentOut:
    """Accepts the effective version of a document; 409 `document-outdated` for another one. May be repeated."""
    return _consent(await service.consents.accept(_witness(principal, client), form.document_type, form.version))


@router.post("/withdraw")
async def withdraw(form: WithdrawIn, principal: CurrentPrincipal, client: ClientDep, service: ServiceDep) -> ConsentOut:
    """Withdraws an acceptance; 409 `not-accepted` when there is none."""
    return _consent(await service.consents.withdraw(_witness(principal, client), form.document_type))


def _witness(principal: Principal, client: Client) -> Witness:
    return Witness(
        user_id=principal.user_id,
        organization_id=principal.organization_id,
        address=client.address,
        user_agent=client.user_agent,
    )


def _consent(entry: Consent) -> ConsentOut:
    return ConsentOut(
        acceptance_id=entry.consent_id,
        action=entry.action,
        document_type=entry.document_type,
        version=entry.version,
        sha256=entry.sha256,
        organization_id=entry.organization_id,
        at=entry.at,
        ip_address=entry.address,
        user_agent=entry.user_agent,
    )


def _due(document: Document) -> DueOut:
    return DueOut(
        document_type=document.document_type,
        version=document.version,
        effective_date=document.effective_date,
        sha256=document.sha256,
    )

"""`/api/email/events/sendgrid`: what SendGrid tells of mails that it took."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel

from omnify_email.deps import ServiceDep
from omnify_email.signatures import SIGNATURE, TIMESTAMP

router = APIRouter(prefix="/api/email/events", tags=["provider events"])
Signature = Annotated[str | None, Header(alias=SIGNATURE, max_length=512)]
Timestamp = Annotated[str | None, Header(alias=TIMESTAMP, max_length=20)]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
    }
}


class TakenOut(BaseModel):
    """How many events of the batch were about mails of ours."""

    taken: int


@router.post("/sendgrid", openapi_extra=_BODY)
async def sendgrid(
    request: Request, service: ServiceDep, signature: Signature = None, timestamp: Timestamp = None
) -> TakenOut:
    """A batch of events, signed over its very bytes; 403 for any other. Whatever comes twice counts once."""
    return TakenOut(taken=await service.provider_events.take(await request.body(), signature, timestamp))

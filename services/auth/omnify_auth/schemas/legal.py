"""Bodies of `/api/legal`."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from omnify_auth.legal import DocumentType
from omnify_auth.schemas.types import Input, Output

Version = Annotated[str, Field(min_length=1, max_length=32, examples=["1.0"])]


class AcceptIn(Input):
    document_type: DocumentType
    version: Annotated[Version, Field(description="The one that was shown; it must be the effective one.")]


class WithdrawIn(Input):
    document_type: DocumentType


class DocumentOut(Output):
    document_type: DocumentType
    version: str
    effective_date: date
    content: str = Field(description="Markdown.")
    sha256: str = Field(description="Of the document's file, in hex; part of each acceptance.")
    acceptance_required: bool


class ConsentOut(Output):
    acceptance_id: str
    action: Literal["accepted", "withdrawn"]
    document_type: str
    version: str
    sha256: str
    organization_id: str
    at: datetime
    ip_address: str | None = Field(description="As the server saw it.")
    user_agent: str | None = Field(description="As the server saw it.")


class DueOut(Output):
    document_type: DocumentType
    version: str
    effective_date: date
    sha256: str


class DueListOut(Output):
    due: tuple[DueOut, ...]


class AcceptancesOut(Output):
    acceptances: tuple[ConsentOut, ...] = Field(description="Newest first.")
    count: int
    due: tuple[DueOut, ...]

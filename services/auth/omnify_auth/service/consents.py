"""What users accepted and withdrew: one document per user, only ever added to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from omnify_auth.errors import DocumentOutdated, NotAccepted
from omnify_auth.events import ConsentGiven, ConsentWithdrawn
from omnify_auth.legal import DOCUMENT_TYPES, Document, DocumentType, Library
from omnify_auth.records import Consent, Consents
from omnify_auth.service.sealing import Sealing
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict

Action = Literal["accepted", "withdrawn"]
_Change = Callable[[Consents, Emit], Consents]
MOST = 500  # entries of one user; only who accepts and withdraws in turns gets there


@dataclass(frozen=True, slots=True)
class Witness:
    """Who asked, and what the server saw of the request; never what its body claims."""

    user_id: str
    organization_id: str
    address: str | None
    user_agent: str | None


class ConsentBook:
    """Acceptance counts for the very version, so a newer effective one is due again."""

    def __init__(self, store: Store, sealing: Sealing, library: Library) -> None:
        self._store = store
        self._sealing = sealing
        self._library = library

    def current(self, document_type: DocumentType) -> Document:
        """The effective version of a document."""
        return self._library.current(document_type, clock.now().date())

    async def accept(self, witness: Witness, document_type: DocumentType, version: str) -> Consent:
        """Records an acceptance; repeating it gives the first one. Raises DocumentOutdated."""
        document = self.current(document_type)
        if document.version != version:
            raise DocumentOutdated(document.version)
        made = await self._made(witness, "accepted", document.document_type, document.version, document.sha256)

        def change(consents: Consents, emit: Emit) -> Consents:
            if _accepted(consents, document):
                return consents
            if len(consents.history) >= MOST:
                raise Conflict("the history of consents is full; ask the operator")
            emit(
                ConsentGiven(
                    user_id=witness.user_id,
                    organization_id=witness.organization_id,
                    document_type=made.document_type,
                    version=made.version,
                    sha256=made.sha256,
                )
            )
            return _with(consents, made)

        return _latest(await self._changed(witness.user_id, change), document_type)

    async def withdraw(self, witness: Witness, document_type: DocumentType) -> Consent:
        """Records a withdrawal of what is accepted now. Raises NotAccepted."""
        blank = await self._made(witness, "withdrawn", document_type, "", "")

        def change(consents: Consents, emit: Emit) -> Consents:
            given = _standing(consents, document_type)
            if given is None:
                raise NotAccepted("this document is not accepted now")
            emit(
                ConsentWithdrawn(
                    user_id=witness.user_id,
                    organization_id=witness.organization_id,
                    document_type=given.document_type,
                    version=given.version,
                )
            )
            return _with(consents, blank.model_copy(update={"version": given.version, "sha256": given.sha256}))

        return _latest(await self._changed(witness.user_id, change), document_type)

    async def history(self, user_id: str) -> Consents:
        """All of one user, oldest first."""
        stored = await self._store.consents.get(user_id)
        return await self._sealing.consents(stored) if stored else Consents(user_id=user_id, history=())

    def due(self, consents: Consents) -> tuple[Document, ...]:
        """The effective versions that a user has yet to accept."""
        documents = (self.current(document_type) for document_type in DOCUMENT_TYPES)
        return tuple(
            document for document in documents if document.acceptance_required and not _accepted(consents, document)
        )

    async def _changed(self, user_id: str, change: _Change) -> Consents:
        def nothing() -> Consents:
            return Consents(user_id=user_id, history=())

        stored = (await self._store.consents.upsert(user_id, initial=nothing, change=change)).value
        return await self._sealing.consents(stored)

    async def _made(self, witness: Witness, action: Action, document_type: str, version: str, digest: str) -> Consent:
        entry = _entry(witness, action, document_type, version, digest)
        return await self._sealing.of_consent(witness.user_id, entry)


def _standing(consents: Consents, document_type: str) -> Consent | None:
    """The latest acceptance of a document, unless it was withdrawn since."""
    last = next((entry for entry in reversed(consents.history) if entry.document_type == document_type), None)
    return last if last and last.action == "accepted" else None


def _accepted(consents: Consents, document: Document) -> bool:
    standing = _standing(consents, document.document_type)
    return standing is not None and standing.sha256 == document.sha256


def _latest(consents: Consents, document_type: str) -> Consent:
    return next(entry for entry in reversed(consents.history) if entry.document_type == document_type)


def _with(consents: Consents, made: Consent) -> Consents:
    return consents.model_copy(update={"history": (*consents.history, made)})


def _entry(witness: Witness, action: Action, document_type: str, version: str, digest: str) -> Consent:
    return Consent(
        consent_id=new_id(),
        action=action,
        document_type=document_type,
        version=version,
        sha256=digest,
        organization_id=witness.organization_id,
        at=clock.now(),
        address=witness.address,
        user_agent=witness.user_agent,
    )

"""The legal documents, as Markdown files with front matter: `document_type`, `version`, `effective_date`.

A new version is a new file beside the old ones, so that what somebody accepted stays readable. The hash is of the
whole file.
"""

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from importlib.resources import files
from typing import Literal, get_args

DocumentType = Literal["terms", "privacy", "cookie"]
DOCUMENT_TYPES: tuple[DocumentType, ...] = get_args(DocumentType)
_REQUIRED: frozenset[DocumentType] = frozenset({"terms", "privacy"})
_FENCE = "---\n"


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a legal document."""

    document_type: DocumentType
    version: str
    effective_date: date
    content: str
    sha256: str

    @property
    def acceptance_required(self) -> bool:
        """Whether users have to accept it."""
        return self.document_type in _REQUIRED


class Library:
    """All versions of all documents."""

    def __init__(self, documents: tuple[Document, ...]) -> None:
        self._documents = sorted(documents, key=lambda document: document.effective_date)

    @classmethod
    def packaged(cls) -> "Library":
        """The documents that come with the service. Raises ValueError for a file without its front matter."""
        found = (entry for entry in files(__name__).iterdir() if entry.name.endswith(".md"))
        return cls(tuple(read(entry.read_bytes()) for entry in found))

    def current(self, document_type: DocumentType, today: date) -> Document:
        """The newest version that is effective. Raises LookupError when none is yet."""
        effective = [
            document
            for document in self._documents
            if document.document_type == document_type and document.effective_date <= today
        ]
        if not effective:
            raise LookupError(f"no version of {document_type} is effective")
        return effective[-1]


def read(raw: bytes) -> Document:
    """A document from its file. Raises ValueError."""
    start, fence, rest = raw.decode().partition(_FENCE)
    head, closed, content = rest.partition(_FENCE)
    pairs = (line.partition(":") for line in head.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    kind = next((known for known in DOCUMENT_TYPES if known == fields.get("document_type")), None)
    if start or not fence or not closed or kind is None or not fields.get("version"):
        raise ValueError("a legal document begins with document_type, version and effective_date between two ---")
    effective = date.fromisoformat(fields.get("effective_date", ""))
    return Document(kind, fields["version"], effective, content.lstrip("\n"), sha256(raw).hexdigest())

"""PDFs: opened, counted and read, within bounds; none that acts by itself."""

import logging
from pathlib import Path
from typing import Any, Final

from pypdf import PdfReader

from omnify_files.inspection import Findings, Made, Refusal

MAX_PAGES: Final = 5000
MAX_TEXT: Final = 1024 * 1024  # characters
READ_PAGES: Final = 300  # from which text is taken
_TAIL: Final = 1024
_ACTIONS: Final = {"/JavaScript", "/Launch", "/ImportData", "/SubmitForm"}


def look_at_pdf(path: Path, folder: Path) -> Findings:
    """Pages and text. Raises Refusal."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    with path.open("rb") as file:
        head = file.read(5)
        file.seek(-min(_TAIL, path.stat().st_size), 2)
        tail = file.read()
    if head != b"%PDF-" or b"%%EOF" not in tail:
        raise Refusal("polyglot", "something stands before or behind the document")
    reader = PdfReader(path, strict=False)
    if reader.is_encrypted:
        raise Refusal("unreadable", "it is encrypted")
    _check_actions(reader)
    pages = len(reader.pages)
    if not 0 < pages <= MAX_PAGES:
        raise Refusal("unreadable", f"it has {pages} pages; 1 to {MAX_PAGES} are taken")
    text = folder / "text"
    text.write_text(_text(reader), encoding="utf-8", errors="replace")
    made = {"text": Made(text, "text/plain; charset=utf-8", "txt")} if text.stat().st_size else {}
    return Findings({"pages": pages}, made)


def _check_actions(reader: PdfReader) -> None:
    """Raises Refusal for a document that does something when it is opened."""
    root: Any = reader.trailer["/Root"].get_object()
    names = root.get("/Names", {})
    names = names.get_object() if hasattr(names, "get_object") else names
    opening = root.get("/OpenAction")
    opening = opening.get_object() if hasattr(opening, "get_object") else opening
    kind = opening.get("/S") if isinstance(opening, dict) else None
    if "/JavaScript" in names or "/EmbeddedFiles" in names or "/AA" in root or kind in _ACTIONS:
        raise Refusal("active-content", "it holds scripts, other files, or actions of its own")


def _text(reader: PdfReader) -> str:
    found: list[str] = []
    room = MAX_TEXT
    for page in reader.pages[:READ_PAGES]:
        try:
            text = page.extract_text()[:room]
        except Exception:  # noqa: S112 - a page that can't be read has no text; the document is still one
            continue
        found.append(text)
        room -= len(text) + 1
        if room <= 0:
            break
    return "\n".join(found).strip()

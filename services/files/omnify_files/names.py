"""File names: shown to people and sent back in a download's header, never a path on our side."""

import unicodedata
from typing import Final
from urllib.parse import quote

from omnify_files.errors import RefusedFile
from omnify_files.kinds import ACTIVE, RULES, Kind, Purpose, kind_of_name

MAX_NAME: Final = 200  # characters


def checked_name(name: str, purpose: Purpose) -> Kind:
    """The kind that a name claims, when files of the purpose may be of it. Raises RefusedFile."""
    if not 0 < len(name) <= MAX_NAME or name != name.strip() or name.startswith("."):
        raise RefusedFile(f"filename: 1 to {MAX_NAME} characters, without a dot in front or blanks around it")
    if any(unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} or sign in '/\\:"<>|*?' for sign in name):
        raise RefusedFile('filename: no control or direction signs, and none of / \\ : " < > | * ?')
    _, *extensions = name.lower().split(".")
    kind = kind_of_name(extensions[-1]) if extensions else None
    if kind is None or kind.name not in RULES[purpose].kinds:
        raise RefusedFile(f"filename: a file for {purpose} is one of {', '.join(RULES[purpose].kinds)}")
    if inner := [part for part in extensions[:-1] if part.strip() in ACTIVE or kind_of_name(part.strip())]:
        raise RefusedFile(f"filename: it has two extensions, .{inner[-1]} and .{extensions[-1]}")
    return kind


def disposition(name: str) -> str:
    """`Content-Disposition` of a download (RFC 6266): always an attachment, with a plain and a full name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace("%", "_").strip() or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def renamed(name: str, extension: str, mark: str = "") -> str:
    """The name with another extension and a mark, as for a thumbnail of it."""
    return f"{name.rpartition('.')[0]}{mark}.{extension}"

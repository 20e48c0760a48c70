"""What a file really is, found out by a process of its own: see `__main__`. Nothing in here may import the service.

    look(kind, path, folder) -> Findings      refuses with Refusal(reason, detail)

Parsers of hostile bytes run without the service's memory, tokens and connections, with limits on memory, time and disk.
"""

from dataclasses import dataclass, field
from pathlib import Path


class Refusal(Exception):
    """The file is not taken: a reason (see records.Reason) and a text for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Made:
    """Something made from the file, to be kept instead of it or beside it."""

    path: Path
    media_type: str
    extension: str


@dataclass
class Findings:
    """`facts` are numbers to show; `made` are variants by name: `content` takes the place of the file itself."""

    facts: dict[str, int] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)

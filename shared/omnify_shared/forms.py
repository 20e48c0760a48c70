"""What an app stores: every form of value, noted where it is read and written, so that contracts and tests know all.

A value outlives the release that wrote it, and two releases live side by side while one replaces the other. So each
form is published (`docs/contracts/state`) and held against the released one, see docs/decisions/0017.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """Values of `type` under keys `<kind>/…`, or only under those that end in `last`. In an envelope, or bare JSON."""

    kind: str
    type: Any
    last: str | None = None
    enveloped: bool = True

    @property
    def name(self) -> str:
        """The kind, with the key's last part where that tells forms of one kind apart."""
        return f"{self.kind}.{self.last}" if self.last else self.kind

    def holds(self, key: str) -> bool:
        """Whether the value under a key may be of this form."""
        parts = key.split("/")
        return parts[0] == self.kind and self.last in (None, parts[-1])


class Forms:
    """The forms of one app."""

    def __init__(self) -> None:
        self._noted: dict[Form, None] = {}

    def note(self, form: Form) -> None:
        """Adds a form; one that is known changes nothing."""
        self._noted[form] = None

    def __iter__(self) -> Iterator[Form]:
        return iter(tuple(self._noted))

    def of(self, key: str) -> Form | None:
        """The form of the value under a key, the one that names the key's end first; None for an unknown kind."""
        found = [form for form in self._noted if form.holds(key)]
        return max(found, key=lambda form: form.last is not None, default=None)

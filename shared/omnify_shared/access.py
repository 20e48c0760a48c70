"""What an app uses of the platform: declared where it is used, refused at once when it is not declared.

    MINT = Call("auth", "POST", "/internal/verifications/{verification_id}/token")
    reply = await invoker.request(MINT, {"verification_id": found.id})
    service_app(settings, …, access=Access(calls=(MINT,), secrets=("sendgrid-api-key",)))

`make access` turns the declarations of all apps into the allow lists of the locked-down profile (`deploy/secure/`) and
into `docs/permissions.md`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

OPERATOR = "operator"  # the app-id under which a person looks after the platform; no service has it
_PARAMETER = re.compile(r"\{([a-z_]+)\}")


class UndeclaredUse(RuntimeError):
    """A defect of the app: it uses what it does not declare, and the locked-down profile would refuse it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a peer; `path` may hold `{parameters}`, each a whole segment."""

    app_id: str
    method: str
    path: str

    def to(self, values: Mapping[str, str]) -> str:
        """The path with its parameters filled in; a value stays in its segment. Raises KeyError, ValueError."""
        return _PARAMETER.sub(lambda found: _segment(values[found.group(1)]), self.path)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Every operation of a peer at or below a path, for the gateway, which hands on what it does not know."""

    app_id: str
    methods: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Access:
    """The peers' operations, the secrets and the output bindings that an app uses.

    `metadata`: whether it asks its sidecar about itself.
    """

    calls: tuple[Call, ...] = ()
    prefixes: tuple[Prefix, ...] = ()
    secrets: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()
    metadata: bool = False


def _segment(value: str) -> str:
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} can't be a segment of a path")
    return quote(value, safe="")

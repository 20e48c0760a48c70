"""Every problem that the services answer with, by its stable type."""

from collections.abc import Iterable, Iterator

from omnify_local.contracts.services import Service
from omnify_shared.problems import TYPE_BASE, Problem

_HEAD = f"""# Problems

Every refusal is `application/problem+json` (RFC 9457). Decide by `type`, which never changes its meaning; `title` and
`detail` are for people. The types below stand behind `{TYPE_BASE}`. Wait for `Retry-After` seconds
after 429 and 503. A type may be added: take one that you don't know by its status. Made from the code by
`make contracts`.

| Service | Status | Type | Title |
| --- | --- | --- | --- |
"""
_EVERY = "every one"


def table(services: Iterable[Service]) -> str:
    """A Markdown table, first of what every service may answer, then of each service's own."""
    names = [service.name for service in services]
    rows = {
        (names.index(owner) if owner in names else -1, owner, kind.status, kind.type, kind.title)
        for kind in _kinds(Problem)
        if (owner := _owner(kind, names)) is not None
    }
    lines = [f"| {owner} | {status} | `{slug}` | {title} |\n" for _, owner, status, slug, title in sorted(rows)]
    return _HEAD + "".join(lines)


def _owner(kind: type[Problem], names: list[str]) -> str | None:
    """The service that answers with it; None for one of a test."""
    package = kind.__module__.partition(".")[0]
    if package == "omnify_shared":
        return _EVERY
    name = package.removeprefix("omnify_")
    return name if name in names and package != name else None


def _kinds(kind: type[Problem]) -> Iterator[type[Problem]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)

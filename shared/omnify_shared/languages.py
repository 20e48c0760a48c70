"""What languages somebody asks for."""

import re

_RANGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3})\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*")
_LONGEST = 500  # characters that are looked at


def asked_for(accepted: str | None) -> list[str]:
    """The language tags of an `Accept-Language` (RFC 9110 §12.5.4), or a tag alone (RFC 5646), the dearest first.

    What is no language range, `*` and what is refused (q=0) are left out; nothing is an error.
    """
    found = [_RANGE.fullmatch(part) for part in (accepted or "")[:_LONGEST].split(",")]
    weighed = [(float(match[2] or 1), match[1]) for match in found if match]
    return [tag for weight, tag in sorted(weighed, key=lambda one: -one[0]) if weight]

"""Links that let whoever has them download one variant of one file, for minutes: signed, never stored."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from omnify_files.errors import BadLink
from omnify_files.records import Variant
from omnify_shared import clock
from omnify_shared.secrets import Secrets

KEY: Final = "files-link-key"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link opens, and until when (unix seconds)."""

    organization_id: str
    file_id: str
    variant: Variant
    expires: int

    def query(self, key: str) -> dict[str, str]:
        """The query of the URL."""
        return {
            "organization": self.organization_id,
            "variant": self.variant,
            "expires": str(self.expires),
            "signature": self.signature(key),
        }

    def signature(self, key: str) -> str:
        """HMAC-SHA256 over all of it, in hexadecimal."""
        text = "\n".join(("file link 1", self.organization_id, self.file_id, self.variant, str(self.expires)))
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


class Links:
    """Signs and checks. Raises MissingSecret without a key, SidecarUnavailable."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def sign(self, organization_id: str, file_id: str, variant: Variant, until: datetime) -> dict[str, str]:
        """The query of a link that is good until a moment."""
        link = Link(organization_id, file_id, variant, int(until.timestamp()))
        return link.query(await self._secrets.get(KEY))

    async def check(self, link: Link, signature: str) -> None:
        """Raises BadLink unless it is ours, unchanged, and its time is not over."""
        right = hmac.compare_digest(link.signature(await self._secrets.get(KEY)).encode(), signature.encode())
        if not right or link.expires < clock.now().timestamp():
            raise BadLink("ask for a new link: this one was changed or its time is over")

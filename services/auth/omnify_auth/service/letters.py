"""Mails about an account: what they say and, for some kinds, a token that is mailed with them.

A letter is written first, and requested by an event in the write of what it is about: a crash in between leaves a
letter that nobody asks for and that expires. The email service asks for a letter when it sends it, so no address and
no token travels in an event.
"""

import hmac
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import NAMESPACE_URL, UUID, uuid5

from omnify_auth.errors import InvalidToken
from omnify_auth.events import LetterKind, LetterRequested
from omnify_auth.records import Letter, MailedToken, User
from omnify_auth.schemas.internal import LetterOut
from omnify_auth.service.directory import home_of
from omnify_auth.service.sealing import Sealing
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Emit
from omnify_shared.ids import new_id
from omnify_shared.problems import NotFound

_TOKENS_KEPT = 3
_MARGIN = timedelta(days=1)
_FAREWELL = timedelta(days=30)
_CAUSES = uuid5(NAMESPACE_URL, "https://omnify.dev/letters/causes")


class Letters:
    """Tokens are `<letter id>.<256 random bits>`; only their SHA-256 is stored, the last three made count."""

    def __init__(self, store: Store, sealing: Sealing, settings: AuthSettings) -> None:
        self._store = store
        self._sealing = sealing
        self._ttl = settings.letter_ttl
        self._lifetimes: Mapping[str, timedelta] = {
            "password_reset": settings.reset_ttl,
            "email_change": settings.verification_ttl,
            "invitation": settings.invitation_ttl,
            "mfa_recovery": settings.verification_ttl,
        }

    async def write(
        self,
        kind: LetterKind,
        user: User,
        *,
        to: str | None = None,
        organization_id: str | None = None,
        values: Mapping[str, str] | None = None,
    ) -> LetterRequested:
        """Stores a letter to a user, or to the address `to`; emit what comes back in the write that it is about."""
        made = _made(new_id(), kind, user, to or user.email, organization_id, values or {})
        letter = await self._sealing.sealed(made)
        ttl = max(self._ttl, self._lifetimes.get(kind, self._ttl) + _MARGIN)
        await self._store.letters.create(letter.letter_id, value=letter, fresh=True, ttl=ttl)
        return _request(letter, kind)

    async def write_once(self, cause: str, kind: LetterKind, user: User, values: Mapping[str, str]) -> None:
        """Stores a letter about what the event `cause` says and requests it, in one write and once."""
        made = _made(str(uuid5(_CAUSES, cause)), kind, user, user.email, None, values)
        letter = await self._sealing.sealed(made)
        with suppress(AlreadyExists):
            await self._store.letters.create(letter.letter_id, value=letter, events=[_request(letter, kind)])

    async def farewell(self, kind: LetterKind, user: User) -> LetterRequested:
        """Stores a letter that is read when nothing else is left of its user."""
        made = _made(new_id(), kind, user, user.email, None, {})
        letter = await self._sealing.sealed(made.model_copy(update={"sealed_by": "service"}))
        await self._store.letters.create(letter.letter_id, value=letter, fresh=True, ttl=_FAREWELL)
        return _request(letter, kind)

    async def many_failures(self, user: User, failures: int) -> LetterRequested:
        """Tells a user of wrong passwords before a right one."""
        return await self.write("many_failures", user, values={"failures": str(failures)})

    async def send(self, letter_id: str) -> LetterOut:
        """A letter with a fresh token, if its kind has one. Raises NotFound when it was redeemed or is gone."""
        lifetime = None
        token, expires_at = f"{letter_id}.{secrets.token_urlsafe(32)}", clock.now()

        def change(letter: Letter, emit: Emit) -> Letter:
            nonlocal lifetime, expires_at
            lifetime = self._lifetimes.get(letter.kind)
            if letter.redeemed_at:
                raise NotFound("the letter is no longer needed")
            if lifetime is None:
                return letter
            expires_at = clock.now() + lifetime
            made = MailedToken(digest=_digest(token), expires_at=expires_at)
            return letter.model_copy(update={"tokens": (*letter.tokens, made)[-_TOKENS_KEPT:]})

        try:
            letter = await self._sealing.opened((await self._store.letters.update(letter_id, change=change)).value)
        except Missing:
            raise NotFound("no such letter") from None
        if not letter.to:
            raise NotFound("whoever it was to was erased")
        return LetterOut(
            kind=letter.kind,
            email=letter.to,
            full_name=letter.full_name,
            locale=letter.locale,
            token=token if lifetime else None,
            expires_at=expires_at if lifetime else None,
            values=letter.values,
        )

    async def read(self, token: str, kind: str) -> Letter:
        """The letter whose token this is, still to be redeemed. Raises InvalidToken."""
        letter_id = _letter_id(token)
        letter = await self._store.letters.get(letter_id) if letter_id else None
        if letter is None or not _redeemable(letter, token, kind, clock.now()):
            raise InvalidToken
        return await self._sealing.opened(letter)


def _made(
    letter_id: str, kind: str, user: User, to: str, organization_id: str | None, values: Mapping[str, str]
) -> Letter:
    return Letter(
        letter_id=letter_id,
        kind=kind,
        to=to,
        full_name=user.full_name,
        user_id=user.user_id,
        organization_id=organization_id or home_of(user),
        values=dict(values),
        tokens=(),
        created_at=clock.now(),
        redeemed_at=None,
        locale=user.locale,
    )


def moment(when: datetime) -> dict[str, str]:
    """When something was, for a mail: in RFC 3339 and, for a release of email that does not read that, in English."""
    return {"at_utc": when.isoformat(), "at": f"{when:%d %B %Y, %H:%M} UTC"}


def _request(letter: Letter, kind: LetterKind) -> LetterRequested:
    return LetterRequested(
        letter_id=letter.letter_id, kind=kind, user_id=letter.user_id, organization_id=letter.organization_id
    )


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _redeemable(letter: Letter, token: str, kind: str, now: datetime) -> bool:
    digest = _digest(token)
    known = any(hmac.compare_digest(made.digest, digest) and now < made.expires_at for made in letter.tokens)
    return known and letter.kind == kind and letter.redeemed_at is None


def _letter_id(token: str) -> str | None:
    try:
        return str(UUID(token.partition(".")[0]))
    except ValueError:
        return None

"""Who is signed in at a browser: a cookie that stands for a session, and forms that only its pages can send."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from omnify_auth.access import has_ended
from omnify_auth.browsers import Browser, digest, new_cookie
from omnify_auth.records import Session, User
from omnify_auth.service.endings import Endings
from omnify_auth.service.sessions import Sessions, SignedIn
from omnify_auth.store import Store
from omnify_auth.vault import RootKeys
from omnify_shared import clock

FORMS_LIVE = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who signed in at this browser, and the session that began then."""

    session: Session
    user: User

    @property
    def proven_at(self) -> datetime:
        """When they last proved who they are."""
        return self.session.authenticated_at or self.session.signed_in_at


class Browsers:
    """The cookie is nothing but a key: what it opens ends with the session, whoever ends that."""

    def __init__(self, store: Store, roots: RootKeys, sessions: Sessions, endings: Endings) -> None:
        self._store = store
        self._roots = roots
        self._sessions = sessions
        self._endings = endings

    async def visitor(self, cookie: str | None) -> Visitor | None:
        """Who is signed in; their session stays in use by that."""
        browser = await self._store.browsers.get(digest(cookie)) if cookie else None
        if browser is None:
            return None
        session = await self._sessions.used(browser.session_id)
        user = await self._store.users.get(browser.user_id)
        if session is None or user is None or has_ended(session, user):
            return None
        return Visitor(session, user)

    async def signed_in(self, cookie: str | None, signed_in: SignedIn) -> tuple[str, Visitor]:
        """A new cookie for who just signed in, in place of the one before, which is void.

        The session of somebody else who was signed in at this browser ends.
        """
        before = await self.visitor(cookie)
        if before and before.user.user_id != signed_in.user.user_id:
            await self._endings.end(before.session.session_id, "logout")
        if cookie:
            await self._store.browsers.delete(digest(cookie))
        made, session = new_cookie(), signed_in.session
        browser = Browser(session_id=session.session_id, user_id=session.user_id)
        await self._store.browsers.create(digest(made), value=browser, fresh=True)
        return made, Visitor(session, signed_in.user)

    async def sign_out(self, cookie: str | None) -> None:
        """Ends the session of a browser, and with it what apps began from it."""
        if visitor := await self.visitor(cookie):
            await self._endings.end(visitor.session.session_id, "logout")
        if cookie:
            await self._store.browsers.delete(digest(cookie))

    async def form_token(self, cookie: str, began: str, request: str) -> str:
        """What a form of ours carries: made for this browser, this request and its time."""
        key = await self._roots.key("browser forms")
        return hmac.digest(key, f"{cookie}\n{began}\n{request}".encode("utf-8", "surrogatepass"), "sha256").hex()

    async def is_ours(self, cookie: str | None, began: str, request: str, token: str) -> bool:
        """Whether a form came from a page that we gave this browser, not too long ago."""
        made = await self.form_token(cookie or "", began, request)
        if not cookie or not hmac.compare_digest(made.encode(), token.encode("utf-8", "surrogatepass")):
            return False
        return clock.now().timestamp() - float(began) < FORMS_LIVE.total_seconds()

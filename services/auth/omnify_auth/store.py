"""The documents of auth: the only module that touches state."""

from dataclasses import dataclass
from datetime import timedelta

from omnify_auth.api_keys import API_KEY_MOST, ApiKey, ApiKeyList
from omnify_auth.app_grants import AppGrant, AppGrantList
from omnify_auth.browsers import Browser
from omnify_auth.clients import ClientList, OAuthClient
from omnify_auth.codes import AuthorizationCode
from omnify_auth.erasures import ConsentProofs, Erasure, OpenErasures
from omnify_auth.profiles import ProfileKey, ProfileKeys
from omnify_auth.recent import Recent
from omnify_auth.records import (
    Address,
    AuditPage,
    Ceremony,
    Challenge,
    Consents,
    Decoy,
    Factors,
    Guard,
    Letter,
    Organization,
    Ring,
    RootKey,
    Session,
    UserSessions,
    Verification,
)
from omnify_auth.role_book import RoleBook
from omnify_auth.rosters import Roster
from omnify_auth.settings import AuthSettings
from omnify_auth.users import Users
from omnify_auth.vault import Vault
from omnify_shared.documents import Documents, Seen, key_of
from omnify_shared.events.outbox import Outbox
from omnify_shared.state import StateStore

_GUARD_OF_NOBODY = timedelta(days=30)
_MARGIN = timedelta(days=1)
ERASURE_PREPARED = timedelta(hours=1)
ERASURE_KEPT = timedelta(days=365)
SHOWN_AGE = 1.0  # seconds; as old as a revocation may be unknown to a replica


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a user whose password was right, read after that was known."""

    guard: Guard | None
    factors: Factors | None
    organization: Organization | None
    sessions: Seen[UserSessions]
    profile: Seen[ProfileKey]


class Store:
    """One `Documents` per kind of aggregate.

    | kind         | key                        | made by                | gone after                   |
    | address      | digest of the address      | registration           | never                        |
    | user         | user id                    | registration           | never                        |
    | organization | organisation id            | registration           | never                        |
    | roster       | organisation id            | the second member, or a founding | never            |
    | roles        | organisation id            | the first role of its own | never                   |
    | verification | verification id            | registration           | proof, or `unverified_ttl`   |
    | letter       | letter id                  | what is written about  | `letter_ttl`                 |
    | decoy        | digest of the address      | a mail that isn't sent | a minute                     |
    | guard        | digest of the address, or `<user id>.<factor>` | a wrong guess | 30 days, if nobody's |
    | session      | session id                 | login                  | its end, and a day           |
    | user_sessions | user id                   | login                  | never                        |
    | factors      | user id                    | setting up a factor    | never                        |
    | challenge    | challenge id               | a right password       | 5 minutes                    |
    | ceremony     | ceremony id                | use of a passkey       | 5 minutes                    |
    | consent      | user id                    | accepting a document   | never                        |
    | consent_proof | digest of the address     | an erasure             | never                        |
    | profile_key  | user id                    | the first sealed value | the user's erasure           |
    | erasure      | erasure id, or an organisation's | an erasure       | a year                       |
    | open_erasures | "all"                     | an erasure             | never                        |
    | audit        | `<organisation id>/<page>`, or `user.<user id>/<page>` | an event of auth | never  |
    | oauth_client | client id                  | registering an app     | never                        |
    | oauth_clients | organisation id           | registering an app     | never                        |
    | oauth_code   | digest of the code         | an app's request that its user allowed | a day, for the replayed |
    | oauth_grant  | `<user id>/<client id>`    | allowing an app        | never                        |
    | oauth_grants | user id                    | allowing an app        | never                        |
    | browser      | digest of the cookie       | a sign-in on our pages | as session                   |
    | api_key      | key id                     | making an API key      | its end, and a day           |
    | api_keys     | `<organisation id>/<user id>` | making an API key   | never                        |
    | keyring      | "main"                     | first use              | never                        |
    | root         | "main"                     | first use              | never                        |
    """

    def __init__(self, state: StateStore, outbox: Outbox, settings: AuthSettings, vault: Vault) -> None:
        self._state = state
        self.addresses = Documents(state, "address", Address)
        self.profile_keys = Documents(state, "profile_key", ProfileKey)
        self.profiles = ProfileKeys(self.profile_keys, vault)
        self.users = Users(state, outbox, self.profiles)
        self.shown_users = Recent(self.users, SHOWN_AGE)
        self.organizations = Documents(state, "organization", Organization, outbox=outbox)
        self.rosters = Documents(state, "roster", Roster, outbox=outbox)
        self.role_books = Documents(state, "roles", RoleBook, outbox=outbox)
        self.verifications = Documents(state, "verification", Verification, ttl=settings.unverified_ttl)
        self.letters = Documents(state, "letter", Letter, outbox=outbox, ttl=settings.letter_ttl)
        self.decoys = Documents(state, "decoy", Decoy, ttl=timedelta(minutes=1))
        self.guards = Documents(state, "guard", Guard, outbox=outbox)
        self.guards_of_nobody = Documents(state, "guard", Guard, outbox=outbox, ttl=_GUARD_OF_NOBODY)
        self.sessions = Documents(state, "session", Session, outbox=outbox, ttl=settings.session_overall + _MARGIN)
        self.user_sessions = Documents(state, "user_sessions", UserSessions, outbox=outbox)
        self.factors = Documents(state, "factors", Factors, outbox=outbox)
        self.challenges = Documents(state, "challenge", Challenge, ttl=settings.challenge_ttl)
        self.ceremonies = Documents(state, "ceremony", Ceremony, ttl=settings.challenge_ttl)
        self.consents = Documents(state, "consent", Consents, outbox=outbox)
        self.consent_proofs = Documents(state, "consent_proof", ConsentProofs)
        self.erasures = Documents(state, "erasure", Erasure, outbox=outbox)
        self.open_erasures = Documents(state, "open_erasures", OpenErasures)
        self.audit = Documents(state, "audit", AuditPage)
        self.clients = Documents(state, "oauth_client", OAuthClient, outbox=outbox)
        self.client_lists = Documents(state, "oauth_clients", ClientList)
        self.codes = Documents(state, "oauth_code", AuthorizationCode, ttl=_MARGIN)
        self.app_grants = Documents(state, "oauth_grant", AppGrant, outbox=outbox)
        self.app_grant_lists = Documents(state, "oauth_grants", AppGrantList)
        self.browsers = Documents(state, "browser", Browser, ttl=settings.session_overall + _MARGIN)
        self.api_keys = Documents(state, "api_key", ApiKey, outbox=outbox, ttl=API_KEY_MOST + _MARGIN)
        self.api_key_lists = Documents(state, "api_keys", ApiKeyList)
        self.keyring = Documents(state, "keyring", Ring)
        self.root = Documents(state, "root", RootKey)

    async def guard_and_address(self, name: str) -> tuple[Guard | None, Address | None]:
        """The guard and the claim of one address, in one read."""
        found = await self._state.get_many((key_of("guard", (name,)), key_of("address", (name,))))
        return self.guards.seen(found, name).value, self.addresses.seen(found, name).value

    async def standing(self, user_id: str, organization_id: str, name: str | None = None) -> Standing:
        """What the rest of a user's sign-in decides on, in one read; the guard that of the address' `name`, if any."""
        keys = [("factors", user_id), ("organization", organization_id), ("user_sessions", user_id)]
        keys += [("profile_key", user_id)]
        keys += [("guard", name)] if name else []
        found = await self._state.get_many(key_of(kind, (key,)) for kind, key in keys)
        return Standing(
            guard=self.guards.seen(found, name).value if name else None,
            factors=self.factors.seen(found, user_id).value,
            organization=self.organizations.seen(found, organization_id).value,
            sessions=self.user_sessions.seen(found, user_id),
            profile=self.profile_keys.seen(found, user_id),
        )

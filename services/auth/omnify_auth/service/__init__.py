"""What auth does, apart from HTTP: `AuthService` holds one object per area."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from omnify_auth.hashing import Hasher
from omnify_auth.keyring import KeyRing, Schedule
from omnify_auth.legal import Library
from omnify_auth.metrics import LoginMetrics, watch_erasures
from omnify_auth.service.accounts import Accounts
from omnify_auth.service.address_change import AddressChange
from omnify_auth.service.api_keys import ApiKeys
from omnify_auth.service.app_grants import AppGrants
from omnify_auth.service.app_sessions import AppSessions
from omnify_auth.service.app_tokens import AppTokens
from omnify_auth.service.audit import AuditLog
from omnify_auth.service.authorization import Authorization
from omnify_auth.service.browsers import Browsers
from omnify_auth.service.clients import Clients
from omnify_auth.service.consents import ConsentBook
from omnify_auth.service.credentials import Credentials
from omnify_auth.service.directory import Directory
from omnify_auth.service.endings import Endings
from omnify_auth.service.enrolment import Enrolment
from omnify_auth.service.erasures import Erasures
from omnify_auth.service.exports import Exports
from omnify_auth.service.factor_recovery import FactorRecovery
from omnify_auth.service.flood import MailFlood
from omnify_auth.service.grants import Grants
from omnify_auth.service.guessing import Guessing
from omnify_auth.service.invitations import Invitations
from omnify_auth.service.leaving import Leaving
from omnify_auth.service.letters import Letters
from omnify_auth.service.members import Members
from omnify_auth.service.notices import Notices
from omnify_auth.service.organizations import Organizations
from omnify_auth.service.passkeys import Passkeys
from omnify_auth.service.password_check import PasswordCheck
from omnify_auth.service.peer_exports import PeerExports
from omnify_auth.service.policy import MfaPolicies
from omnify_auth.service.registration import Registration
from omnify_auth.service.roles import Roles
from omnify_auth.service.sealing import Sealing
from omnify_auth.service.second_factor import SecondFactor
from omnify_auth.service.second_step import SecondStep
from omnify_auth.service.session_list import SessionList
from omnify_auth.service.session_policy import SessionPolicies
from omnify_auth.service.sessions import Sessions
from omnify_auth.service.sign_in import SignIn
from omnify_auth.service.step_up import StepUp
from omnify_auth.service.verification import Verifications
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_auth.tokens import AccessTokens
from omnify_auth.vault import RootKeys, Vault
from omnify_shared.identity import Identity
from omnify_shared.platform import Platform


class AuthService:
    """The areas of the service. Construction touches nothing outside the process."""

    def __init__(self, platform: Platform, settings: AuthSettings) -> None:
        vault = Vault(platform.secrets)
        store = self.store = Store(platform.state, platform.outbox, settings, vault)
        roots = RootKeys(store.root, vault)
        self.logins = LoginMetrics(platform.telemetry)
        self.hasher = Hasher(settings, vault)
        self.keyring = KeyRing(store.keyring, vault, Schedule.of(settings))
        self.directory = Directory(store, roots)
        flood = MailFlood(store, platform.rate_limits, settings)
        guessing = Guessing(store, settings)
        self.profiles = store.profiles
        sealing = Sealing(self.profiles, vault)
        self.letters = Letters(store, sealing, settings)
        self.notices = Notices(store, self.letters)
        self.registration = Registration(self.directory, store, self.hasher, flood, settings)
        passwords = PasswordCheck(self.directory, store, self.hasher, guessing, self.letters)
        endings = Endings(store, platform.identity.revocations, settings)
        self.credentials = Credentials(
            self.directory, store, self.hasher, passwords, self.letters, flood, endings, settings
        )
        self.address_change = AddressChange(self.directory, store, self.letters, flood)
        self.verifications = Verifications(store, settings)
        self.session_list = SessionList(store, sealing, endings, self.letters, settings)
        access_tokens = AccessTokens(self.keyring, settings.access_token_ttl)
        self.session_policies = SessionPolicies(store, settings)
        self.sessions = Sessions(store, access_tokens, roots, endings, self.session_list, self.letters, settings)
        self.sign_in = SignIn(self.directory, store, self.hasher, guessing, self.letters, self.sessions)
        self.audit = AuditLog(store, platform.tasks)
        factor = SecondFactor(store, vault, roots, guessing)
        self.mfa_policies = MfaPolicies(store, settings)
        self.enrolment = Enrolment(store, factor, self.mfa_policies, settings)
        self.passkeys = Passkeys(store, self.enrolment, platform.rate_limits, settings)
        self.second_step = SecondStep(store, factor, self.passkeys, self.sessions)
        revocations = platform.identity.revocations
        self.clients = Clients(store, revocations)
        self.api_keys = ApiKeys(store, access_tokens, revocations)
        self._organize(flood, sealing, endings, settings)
        self._provide(roots, endings, access_tokens, platform.identity, settings)
        self._look_after_data(platform, sealing, endings, settings)
        self.step_up = StepUp(store, passwords, factor, self.sessions)

    def _organize(self, flood: MailFlood, sealing: Sealing, endings: Endings, settings: AuthSettings) -> None:
        self.roles = Roles(self.store)
        self.grants = Grants(self.store, endings)
        self.members = Members(self.store, self.roles, endings)
        self.invitations = Invitations(
            self.directory, self.store, self.hasher, sealing, self.letters, flood, self.members, settings
        )
        self.factor_recovery = FactorRecovery(self.directory, self.store, self.letters, flood, self.members, endings)
        self.organizations = Organizations(
            self.directory, self.store, self.members, self.clients, self.session_policies, endings
        )

    def _provide(
        self,
        roots: RootKeys,
        endings: Endings,
        access_tokens: AccessTokens,
        identity: Identity,
        settings: AuthSettings,
    ) -> None:
        self.issuer, self.page_origins = settings.issuer, settings.page_origins
        self.app_grants = AppGrants(self.store, endings)
        self.browsers = Browsers(self.store, roots, self.sessions, endings)
        self.authorization = Authorization(
            self.store, self.clients, self.app_grants, self.mfa_policies, self.keyring, settings
        )
        self.app_sessions = AppSessions(self.store, self.app_grants, self.sessions, endings, access_tokens, settings)
        self.app_tokens = AppTokens(self.store, access_tokens, identity, self.app_sessions)

    def _look_after_data(self, platform: Platform, sealing: Sealing, endings: Endings, settings: AuthSettings) -> None:
        self.consents = ConsentBook(self.store, sealing, Library.packaged())
        self.exports = Exports(self.directory, self.store, self.consents, sealing, PeerExports(platform.invoker))
        leaving = Leaving(self.store, self.members, self.organizations, self.profiles)
        self.erasures = Erasures(self.store, self.directory, self.letters, leaving, endings, settings)
        self.accounts = Accounts(self.store, self.directory, self.letters, endings)
        watch_erasures(platform.telemetry, self.erasures)

    async def jwks(self) -> dict[str, Any]:
        """The published signing keys as a JWK Set."""
        return await self.keyring.jwks()


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[AuthService]:
    """The service for the life of the process."""
    settings = platform.settings
    assert isinstance(settings, AuthSettings)  # noqa: S101 - narrows the platform's type
    service = AuthService(platform, settings)
    platform.tasks.spawn(service.erasures.run(), name="erasures")
    try:
        yield service
    finally:
        service.hasher.close()

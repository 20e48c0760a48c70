"""WebAuthn (W3C, Level 3) by the library `webauthn`: resident keys, user verification required, no attestation."""

import json
import struct
from typing import Any
from uuid import UUID

import webauthn
from webauthn.helpers import options_to_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from omnify_auth.errors import InvalidPasskey
from omnify_auth.passkey_rules import Credential
from omnify_auth.records import Passkey, User
from omnify_auth.settings import AuthSettings
from omnify_auth.vault import decode, encode
from omnify_shared import clock

_REQUIRED = UserVerificationRequirement.REQUIRED
_MALFORMED = (WebAuthnException, ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error)


class RelyingParty:
    """What we ask of authenticators and what we accept from them."""

    def __init__(self, settings: AuthSettings) -> None:
        self._rp_id = settings.passkey_rp_id
        self._origins = list(settings.passkey_origins)

    def creation_options(self, user: User, known: tuple[Passkey, ...], challenge: str) -> dict[str, Any]:
        """For `navigator.credentials.create`."""
        made = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name="Omnify",
            user_id=UUID(user.user_id).bytes,
            user_name=user.email,
            user_display_name=user.full_name,
            challenge=decode(challenge),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=decode(one.passkey_id)) for one in known],
        )
        return dict(json.loads(options_to_json(made)))

    def request_options(self, challenge: str) -> dict[str, Any]:
        """For `navigator.credentials.get`, whoever it is: the authenticator knows its passkeys."""
        made = webauthn.generate_authentication_options(
            rp_id=self._rp_id, challenge=decode(challenge), user_verification=_REQUIRED
        )
        return dict(json.loads(options_to_json(made)))

    def created(self, credential: Credential, name: str, challenge: str) -> Passkey:
        """The passkey that an authenticator made. Raises InvalidPasskey."""
        try:
            made = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=decode(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
        except _MALFORMED:
            raise InvalidPasskey from None
        return Passkey(
            passkey_id=encode(made.credential_id),
            name=name,
            public_key=encode(made.credential_public_key),
            sign_count=made.sign_count,
            aaguid=made.aaguid,
            device_type=made.credential_device_type.value,
            backed_up=made.credential_backed_up,
            added_at=clock.now(),
            last_used_at=None,
        )

    def used(self, credential: Credential, passkey: Passkey, challenge: str) -> Passkey:
        """The passkey after a use that verifies, whatever its counter says. Raises InvalidPasskey."""
        try:
            shown = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=decode(challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=decode(passkey.public_key),
                credential_current_sign_count=0,  # compared in the write that stores it, see `went_back`
                require_user_verification=True,
            )
        except _MALFORMED:
            raise InvalidPasskey from None
        facts = {"sign_count": shown.new_sign_count, "backed_up": shown.credential_backed_up}
        return passkey.model_copy(update=facts | {"last_used_at": clock.now()})

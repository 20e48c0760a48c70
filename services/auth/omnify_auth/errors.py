"""What auth refuses, as RFC 9457 problems.

Problem
├── EmailNotVerified       403  right password, address not yet proven
├── InvalidCredentials     401  unknown address or wrong password: one answer for both
├── InvalidRefreshToken    401  unknown, spent, expired or revoked: one answer for all
├── WrongPassword          403  the current password that a change asks for is another one
├── UnprovenRequest        400  an app's request whose app or answer address is not known; shown, never sent
├── InvalidToken           400  a mailed token that is unknown, used or expired: one answer for all
├── TooManyGuesses         429  wait before the next guess, whether or not the address is known
├── MfaRequired            403  right password; a second factor is wanted, with a challenge for it
├── InvalidCode            401  a one-time or recovery code that is wrong, spent or of no factor
├── InvalidChallenge       401  an `mfa_token` that is unknown, used or expired
├── InvalidPasskey         401  an answer of a passkey that does not verify, came late or came before
├── NoFactor               409  the account has no such second factor
├── FactorDemanded         409  the organisation wants this user to have a second factor
├── DocumentOutdated       409  another version of the legal document is effective
├── NotAccepted            409  nothing to withdraw
├── OwnerNeeded            409  who leaves is the only owner of an organisation with other members
└── HashingBusy            503  more sign-ins than the cores can hash
"""

from datetime import timedelta
from math import ceil

from omnify_shared.problems import BadRequest, Conflict, Forbidden, TooManyRequests, Unauthorized, Unavailable


class InvalidCredentials(Unauthorized):
    type, title = "invalid-credentials", "The e-mail address or the password is wrong"

    def __init__(self) -> None:
        super().__init__("check the address and the password and try again")


class EmailNotVerified(Forbidden):
    type, title = "email-not-verified", "The e-mail address is not verified yet"

    def __init__(self) -> None:
        super().__init__("open the link in the mail we sent, or ask for a new one")


class UnprovenRequest(BadRequest):
    type, title = "unproven-request", "The app's request can't be answered"


class InvalidToken(BadRequest):
    type, title = "invalid-token", "The link is not valid"

    def __init__(self) -> None:
        super().__init__("it was used, has expired or is incomplete; ask for a new one")


class WrongPassword(Forbidden):
    type, title = "wrong-password", "The current password is wrong"

    def __init__(self) -> None:
        super().__init__("check it and try again")


class InvalidRefreshToken(Unauthorized):
    type, title = "invalid-refresh-token", "The session has ended"

    def __init__(self) -> None:
        super().__init__("sign in again")


class TooManyGuesses(TooManyRequests):
    type, title = "too-many-guesses", "Too many failed sign-ins"

    def __init__(self, wait: timedelta) -> None:
        super().__init__("wait before the next try", retry_after=max(1, ceil(wait.total_seconds())))


class HashingBusy(Unavailable):
    type, title = "busy", "Too many sign-ins at once"

    def __init__(self) -> None:
        super().__init__("try again in a moment", retry_after=1)


class MfaRequired(Forbidden):
    type, title = "mfa-required", "A second factor is needed"

    def __init__(self, methods: tuple[str, ...], token: str | None = None) -> None:
        """`token` is the challenge to answer at sign-in; a step-up takes the factor in the same request instead."""
        challenge = {"mfa_token": token} if token else {}
        super().__init__(
            "send a code of one of the methods",
            headers={"Cache-Control": "no-store"},
            methods=list(methods),
            **challenge,
        )


class InvalidCode(Unauthorized):
    type, title = "invalid-code", "The code is not valid"

    def __init__(self) -> None:
        super().__init__("it is wrong, was used before or has expired; send a new one")


class InvalidChallenge(Unauthorized):
    type, title = "invalid-mfa-token", "The sign-in took too long"

    def __init__(self) -> None:
        super().__init__("it was used or has expired; sign in with the password again")


class NoFactor(Conflict):
    type, title = "no-such-factor", "The factor is not set up"


class FactorDemanded(Conflict):
    type, title = "mfa-demanded", "The organisation asks for a second factor"

    def __init__(self) -> None:
        super().__init__("the last factor can be replaced by setting up another, but not taken away")


class InvalidPasskey(Unauthorized):
    type, title = "invalid-passkey", "The passkey was not accepted"

    def __init__(self) -> None:
        super().__init__("begin again; if it is refused again, use another factor")


class DocumentOutdated(Conflict):
    type, title = "document-outdated", "Another version is effective"

    def __init__(self, version: str) -> None:
        super().__init__("show the effective version and ask again", version=version)


class NotAccepted(Conflict):
    type, title = "not-accepted", "There is no acceptance to withdraw"


class OwnerNeeded(Conflict):
    type, title = "owner-needed", "An organisation would be left without an owner"

    def __init__(self, organizations: list[tuple[str, str]]) -> None:
        """`organizations` are ids and names."""
        super().__init__(
            "hand these organisations over to another member, or delete them, and ask again",
            organizations=[{"organization_id": one, "name": name} for one, name in organizations],
        )

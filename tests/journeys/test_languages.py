"""Mails come in the language that somebody asked for."""

from collections.abc import Callable

from omnify_local.journey import Marketer, token_in
from omnify_shared.testing import Platform


def test_who_registers_in_german_is_written_to_in_german(
    platform: Platform, new_marketer: Callable[..., Marketer]
) -> None:
    greta = new_marketer(full_name="Greta Beispiel")
    greta.http.headers["Accept-Language"] = "de-CH, en;q=0.5"
    greta.register()
    [mail] = platform.inbox.wait_for(greta.email, subject="Bestätigen Sie Ihre E-Mail-Adresse")
    assert '<html lang="de"' in mail.html
    greta.verify(token_in(mail))
    greta.log_in()

    def forgets() -> None:
        greta.ask("POST", "/api/auth/password-reset", 202, json={"email": greta.email})

    forgets()
    platform.inbox.wait_for(greta.email, subject="Wählen Sie ein neues Passwort")
    greta.ask("PATCH", "/api/auth/me", 200, json={"locale": "en"})
    forgets()
    platform.inbox.wait_for(greta.email, subject="Choose a new password")

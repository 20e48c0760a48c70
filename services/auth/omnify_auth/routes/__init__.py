"""HTTP, a module an area: `/api` for people's clients, `/.well-known` for verifiers, `/internal` for peers."""

from omnify_auth.routes import (
    accounts,
    addresses,
    audit,
    internal,
    keys,
    legal,
    mfa,
    my_sessions,
    passkeys,
    passwords,
    sessions,
    signing_in,
)

ROUTERS = (
    accounts.router,
    sessions.router,
    signing_in.router,
    passwords.router,
    addresses.router,
    my_sessions.router,
    mfa.router,
    passkeys.router,
    passkeys.login_router,
    legal.router,
    audit.router,
    keys.router,
    internal.router,
    keys.operators,
)

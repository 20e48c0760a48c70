"""HTTP, a module an area: `/api` for people's clients, `/.well-known` for verifiers, `/internal` for peers."""

from omnify_auth.routes import accounts, internal, keys, sessions

ROUTERS = (accounts.router, sessions.router, keys.router, internal.router, keys.operators)

"""Scopes in words, for the person who is asked to allow them."""

_IDENTITY = {
    "openid": "Know who you are when you sign in",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay connected when you are signed out, for up to 30 days",
}
_ACTIONS = {
    "view": "See",
    "create": "Create",
    "edit": "Change",
    "delete": "Delete",
    "publish": "Publish",
    "export": "Export",
    "admin": "Administer",
    "connect": "Connect",
    "disconnect": "Disconnect",
    "manage": "Manage",
    "invite": "Invite",
    "billing": "See and pay the bills of",
    "execute": "Run",
}
_RESOURCES = {
    "campaign": "campaigns",
    "creative": "creatives",
    "analytics": "figures and reports",
    "integration": "connections to other platforms",
    "user": "people of the organisation",
    "org": "the organisation",
    "agent": "agents",
    "settings": "settings",
}


def in_words(scope: str) -> str:
    """What a scope lets an app do; for a permission: as far as the user may do it themselves."""
    if scope in _IDENTITY:
        return _IDENTITY[scope]
    resource, _, action = scope.partition(":")
    return f"{_ACTIONS[action]} {_RESOURCES[resource]}"

"""The one error of the local platform: something a person has to know and can act on, in one line."""


class LocalError(Exception):
    """Why the platform cannot go on and what to do about it; printed as it is, without a traceback."""

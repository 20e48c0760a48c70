"""Where things live: the repository, and the per-user cache that clones share."""

import os
from pathlib import Path


def repository() -> Path:
    """Root of the checkout this package is installed from (it is an editable install)."""
    return Path(__file__).resolve().parents[3]


def cache() -> Path:
    """Per-user cache of built and downloaded tools; XDG_CACHE_HOME is honoured."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "omnify"

"""What the Go runtime of daprd is told; figures in docs/decisions/0019-speed.md."""

import os

# Collect when the heap has grown fivefold, and more often near the limit: daprd's live heap is small, and at Go's own
# setting (doubled) collecting it is a fifth of its work.
_DEFAULTS = {"GOGC": "400", "GOMEMLIMIT": "400MiB"}


def environment() -> dict[str, str]:
    """Variables for a daprd (https://pkg.go.dev/runtime#hdr-Environment_Variables); those already set win."""
    return {name: os.environ.get(name, value) for name, value in _DEFAULTS.items()}

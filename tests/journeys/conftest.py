"""What the journeys need beside the platform."""

from pathlib import Path

import pytest

from omnify_local import data, paths


@pytest.fixture(scope="session")
def cdnow_sample() -> Path:
    """6,919 real orders of 2,357 customers (CDNOW; Fader and Hardie)."""
    return data.fetch(paths.repository()) / data.SAMPLE

"""What the journeys need beside the platform."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright

from omnify_local import data, paths
from omnify_shared.testing import Platform
from support.shops import Arrived, shop_at

OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a fresh profile; a script error or a breach of the pages' own security policy fails the test."""
    chromium = shutil.which("chromium")
    assert chromium, "the browser tests need Chromium: apt-get install chromium"
    async with async_playwright() as tools:
        context = await tools.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium, headless=True, args=list(OPTIONS)
        )
        page = context.pages[0]
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if "Security Policy" in line.text else None)
        yield page
        await context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def cdnow_sample() -> Path:
    """6,919 real orders of 2,357 customers (CDNOW; Fader and Hardie)."""
    return data.fetch(paths.repository()) / data.SAMPLE


@pytest.fixture(scope="module")
def shop(platform: Platform) -> Iterator[Arrived]:
    """What came to the shop's own server."""
    with shop_at(platform.receiver_port) as came:
        yield came

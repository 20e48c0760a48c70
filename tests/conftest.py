"""What tests of the whole platform share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omnify_local.journey import Marketer
from omnify_shared.testing import Platform


@pytest.fixture(scope="module")
def new_marketer(platform: Platform) -> Iterator[Callable[..., Marketer]]:
    """`new_marketer(full_name=…)`: a user of the platform who has not signed up yet."""
    made: list[Marketer] = []

    def make(**facts: Any) -> Marketer:
        made.append(Marketer(platform.url, **facts))
        return made[-1]

    yield make
    for marketer in made:
        marketer.close()

"""Which passwords are accepted, and how they are hashed."""

import asyncio
import threading
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnify_auth.errors import HashingBusy
from omnify_auth.hashing import Hasher, HashPool
from omnify_auth.passwords import common, context_words, weakness
from omnify_auth.settings import AuthSettings

CONTEXT = context_words("ada.lovelace@analytical.example.com", "Ada Lovelace", "Analytical Engines Ltd")
GOOD = "seven quiet herons wade"


def judged(password: str) -> str | None:
    return weakness(password, CONTEXT, shortest=15, longest=256)


class FixedPeppers:
    def __init__(self, **versions: bytes) -> None:
        self.versions = {int(name[1:]): key for name, key in versions.items()}

    async def peppers(self) -> dict[int, bytes]:
        return self.versions


def hasher(**versions: bytes) -> Hasher:
    return Hasher(AuthSettings(environment="test"), FixedPeppers(**(versions or {"v1": b"p" * 32})))  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [15, 64, 256])
def test_any_composition_of_enough_length_is_accepted(length: int) -> None:
    text = (GOOD + " über stille Wasser und dunkle Wälder, " * 8)[:length]
    assert judged(text) is None


@pytest.mark.parametrize("text", ["", "14 characters!", GOOD * 20])
def test_length_is_bounded(text: str) -> None:
    assert judged(text) is not None


def test_length_counts_code_points_of_the_composed_form() -> None:
    decomposed = unicodedata.normalize("NFD", "é" * 3 + "garten haus")
    assert len(decomposed) >= 15
    assert judged(decomposed) is not None


def test_every_common_password_is_refused() -> None:
    assert len(common()) == 30_000
    accepted = [text for text in common() if judged(text) is None or judged(text.upper()) is None]
    assert accepted == []


@pytest.mark.parametrize(
    "text",
    [
        "passwordpassword",
        "password123456789",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabca",
        "abcdefghijklmnop",
        "9876543210987654",
        "QWERTYUIOPASDFGH",
        "dragondragondragon",
        "lovelaceanalytical",
        "AdaLovelace12345",
        "analyticalengines1",
        "omnifyomnify1234",
        "Omnify password1",
    ],
)
def test_patterns_and_context_words_are_refused(text: str) -> None:
    assert judged(text) is not None


@pytest.mark.parametrize(
    "text", ["correct horse battery staple", "lovelace rides at dawn", "omnify keeps my herring fresh", GOOD]
)
def test_phrases_are_accepted(text: str) -> None:
    assert judged(text) is None


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text: str) -> None:
    judged(text)


async def test_a_hash_is_peppered_argon2id() -> None:
    made = hasher()
    stored = await made.hash(GOOD)
    assert stored.encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await made.verify(GOOD, stored)
    assert await made.verify(unicodedata.normalize("NFD", GOOD), stored)
    assert not await hasher(v1=b"q" * 32).verify(GOOD, stored)
    assert not await made.verify(GOOD, None)
    assert not await made.verify("nobody has this password", None)
    made.close()


@pytest.mark.parametrize("other", [GOOD + " ", GOOD.upper(), GOOD[:-1], GOOD + "x" * 100, ""])
async def test_one_changed_character_fails(other: str) -> None:
    made = hasher()
    assert not await made.verify(other, await made.hash(GOOD))


async def test_a_new_pepper_marks_old_hashes() -> None:
    old = hasher()
    stored = await old.hash(GOOD)
    new = hasher(v1=b"p" * 32, v2=b"n" * 32)
    assert await new.verify(GOOD, stored)
    assert await new.is_outdated(stored)
    assert (await new.hash(GOOD)).pepper == 2
    assert not await hasher(v2=b"n" * 32).verify(GOOD, stored)


async def test_the_pool_bounds_work_and_waiting() -> None:
    pool, go, running = HashPool(2, 3), threading.Event(), []

    def work() -> None:
        running.append(threading.get_ident())
        go.wait(5)

    tasks = [asyncio.create_task(pool.run(work)) for _ in range(5)]
    await asyncio.sleep(0.1)
    assert len(running) == 2
    with pytest.raises(HashingBusy) as refused:
        await pool.run(work)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
    tasks[4].cancel()
    go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(pool.run(work) for _ in range(5)))
    pool.close()

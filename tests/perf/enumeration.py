"""Whether the time of an answer tells that an address is known: 200 tries of each, in turn, through the gateway."""

import secrets
import statistics
import time
from collections.abc import Callable

import httpx2 as httpx

from perf.accounts import form, fresh_address
from perf.measure import Row
from perf.services import Bench

TRIES = 200
MOST = 5.0  # milliseconds that the medians may be apart
PAUSE = 0.05  # seconds, for what an answer leaves to be done (a mail) not to slow the next one
Ask = Callable[[str], httpx.Response]


def rows(bench: Bench) -> list[Row]:
    """Login, registration, forgotten password and another link; each address is asked about once or twice."""
    url = bench.platform.url
    with httpx.Client(base_url=url, timeout=30) as client:
        known = bench.accounts.addresses[:TRIES]
        strangers = [fresh_address() for _ in known]

        def post(path: str, **more: str) -> Ask:
            return lambda email: client.post(f"/api/auth/{path}", json={"email": email, **more})

        register = post("register", **form(secrets.token_hex(8)))
        return [
            _row("login", post("login", password="not the password at all"), known, [fresh_address() for _ in known]),
            _row("forgotten password", post("password-reset"), known, [fresh_address() for _ in known]),
            _row("registration", register, known, strangers),
            _row("another link", post("verify-email/resend"), strangers, [fresh_address() for _ in known]),
        ]


def _row(what: str, ask: Ask, known: list[str], unknown: list[str]) -> Row:
    """The difference of the medians, against what it may be; the answers are the same to the byte but for their id."""
    times: tuple[list[float], list[float]] = ([], [])
    for number, pair in enumerate(zip(known, unknown, strict=True)):
        answers: dict[int, httpx.Response] = {}
        for arm in (0, 1) if number % 2 else (1, 0):
            time.sleep(PAUSE)
            started = time.perf_counter()
            answers[arm] = ask(pair[arm])
            times[arm].append((time.perf_counter() - started) * 1000)
        first, second = ((answers[arm].status_code, _body(answers[arm])) for arm in (0, 1))
        if first != second:
            raise SystemExit(f"{what}: known and unknown addresses are answered differently: {first} {second}")
    medians = [statistics.median(arm) for arm in times]
    apart = abs(medians[0] - medians[1])
    return Row(f"known or not: {what}, medians apart", apart, MOST, "ms", "<= 1")


def _body(answer: httpx.Response) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}

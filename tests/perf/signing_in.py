"""Sign-ins and refreshes: how many a second, how long at a fixed rate, and what CPU they take beside the hash."""

import asyncio
import random
import statistics
from typing import Any

import aiohttp

from perf import load, openloop, processor_time, processors
from perf.load import Load, Target
from perf.measure import Row, percentile
from perf.services import Bench

ROUNDS = 5
SECONDS = 3
CONNECTIONS = 6
PER_CORE = 15.0  # sign-ins a second at which they have to be quick
LOGIN_P95, REFRESH_P95 = 250.0, 60.0  # milliseconds
REFRESHES = 120.0  # a second
REFRESHING = 16  # connections
AT_RATE = 10  # seconds


def logins(bench: Bench) -> list[Row]:
    """Sign-ins of many people, in turn with the Argon2 verifications that the same cores can do."""
    rates, ceilings, used, hash_used = [], [], [], []
    load.run(bench.sign_ins, connections=CONNECTIONS, seconds=1, folder=bench.folder)
    for _ in range(ROUNDS):
        before = processor_time.used()
        done = load.run(bench.sign_ins, connections=CONNECTIONS, seconds=SECONDS, folder=bench.folder)
        _refuse_failures(done)
        used.append((processor_time.used() - before) * 1000 / (done.rate * SECONDS))
        rates.append(done.rate)
        verified, seconds = processors.argon2(2)
        ceilings.append(verified)
        hash_used.append(seconds * 1000)
    rate, ceiling, mine, floor = map(statistics.median, (rates, ceilings, used, hash_used))
    return [
        Row("logins / Argon2 verifications", rate, ceiling, "/s", ">= 0.85"),
        Row("logins / 15 per core", rate, PER_CORE * processors.CORES, "/s", ">= 1"),
        Row("CPU of a login, all processes / its hash", mine, floor, "ms", "<= 1.18"),
        *_at_rate("login", asyncio.run(_logins_at_rate(bench)), PER_CORE * processors.CORES, LOGIN_P95),
    ]


def refreshes(bench: Bench) -> list[Row]:
    """Refreshes, each with the token that the one before brought."""
    rates, used = [], []
    for _ in range(3):
        tokens = _tokens(bench, 2 * REFRESHING)
        before = processor_time.used()
        target = Target(bench.platform.url + "/api/auth/refresh", {}, chain=tokens)
        done = load.run(target, connections=REFRESHING, seconds=SECONDS, folder=bench.folder)
        _refuse_failures(done)
        used.append((processor_time.used() - before) * 1000 / (done.rate * SECONDS))
        rates.append(done.rate)
    left = processors.CORES * 1000 / REFRESHES
    return [
        Row("refreshes / 120 a second", statistics.median(rates), REFRESHES, "/s", ">= 1"),
        Row("CPU of a refresh, all processes / what 120 a second leave", statistics.median(used), left, "ms", "<= 1"),
        *_at_rate("refresh", asyncio.run(_refreshes_at_rate(bench)), REFRESHES, REFRESH_P95),
    ]


def _at_rate(what: str, took: list[float], rate: float, most: float) -> list[Row]:
    failed = sum(one >= openloop.NEVER for one in took)
    return [
        Row(f"{what}, p95 at {rate:.0f}/s", percentile(took, 0.95), most, "ms", "<= 1"),
        Row(f"{what}, refused or failed at {rate:.0f}/s", failed, len(took), "", "<= 0"),
    ]


async def _logins_at_rate(bench: Bench) -> list[float]:
    bodies = random.sample(bench.accounts.bodies, len(bench.accounts.bodies))

    async def send(session: aiohttp.ClientSession, number: int) -> bool:
        return await _answer(session, "/api/auth/login", bodies[number % len(bodies)]) is not None

    return await openloop.latencies(bench.platform.url, PER_CORE * processors.CORES, AT_RATE, send)


async def _refreshes_at_rate(bench: Bench) -> list[float]:
    """Of 60 sessions in turn, so that each has had its last answer long ago."""
    tokens = _tokens(bench, 60)
    seconds = AT_RATE / 2

    async def send(session: aiohttp.ClientSession, number: int) -> bool:
        place = number % len(tokens)
        answer = await _answer(session, "/api/auth/refresh", f'{{"refresh_token": "{tokens[place]}"}}')
        tokens[place] = answer["refresh_token"] if answer else tokens[place]
        return answer is not None

    return await openloop.latencies(bench.platform.url, REFRESHES, seconds, send)


async def _answer(session: aiohttp.ClientSession, path: str, body: str) -> dict[str, Any] | None:
    async with session.post(path, data=body, headers={"content-type": "application/json"}) as answer:
        return await answer.json() if answer.status == 200 else None


def _tokens(bench: Bench, count: int) -> list[str]:
    return [str(signed_in["refresh_token"]) for signed_in in bench.accounts.sign_in(count)]


def _refuse_failures(done: Load) -> None:
    if done.errors:
        raise SystemExit(f"{done.errors} requests of a benchmark failed: its figures would mean nothing")

"""Malware scanning by clamd over its INSTREAM command (clamd(8)): length-prefixed pieces, an empty one, one answer.

Nothing but a plain `OK` lets a file pass: clamd says `Heuristics.Limits.Exceeded` for what it did not look at to the
end only where AlertExceedsMax is set, and cuts the connection above StreamMaxLength, so both must fit our sizes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

_PIECE: Final = 256 * 1024  # bytes
_ANSWER: Final = 4096
_LIMITS: Final = "Heuristics.Limits.Exceeded"


class ScannerAway(Exception):
    """No scanner, or no answer of its: the file has to wait."""


class Found(Exception):
    """The scanner names what is in the file."""

    def __init__(self, signature: str) -> None:
        super().__init__(signature)
        self.signature = signature


class NotScannedWhole(Found):
    """The scanner gave up at one of its limits."""


class Scanner:
    """A clamd at host and port; None while there is none."""

    def __init__(self, address: tuple[str, int] | None, *, timeout: float) -> None:
        """`timeout` in seconds is for one file, from the connection to the verdict."""
        self._address = address
        self._timeout = timeout

    async def check(self, data: AsyncIterator[bytes]) -> None:
        """Returns when the file is clean. Raises Found, NotScannedWhole, ScannerAway."""
        if self._address is None:
            raise ScannerAway("no scanner is configured: set FILES_CLAMD_URL")
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(self._address, data)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise ScannerAway(f"the scanner does not answer ({type(error).__name__})") from error
        judge(answer)

    async def _ask(self, address: tuple[str, int], data: AsyncIterator[bytes]) -> str:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(b"zINSTREAM\0")
            try:
                async for block in data:
                    for start in range(0, len(block), _PIECE):
                        piece = block[start : start + _PIECE]
                        writer.write(len(piece).to_bytes(4, "big") + piece)
                        await writer.drain()
                writer.write(bytes(4))
                await writer.drain()
            except ConnectionError:
                pass  # it has answered early, as it does above its limits: read what it says
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def judge(answer: str) -> None:
    """Reads clamd's verdict. Raises Found, NotScannedWhole, ScannerAway."""
    if answer == "stream: OK":
        return
    if answer.endswith(" FOUND"):
        signature = answer.removeprefix("stream: ").removesuffix(" FOUND")
        raise (NotScannedWhole if signature.startswith(_LIMITS) else Found)(signature)
    if "size limit exceeded" in answer:
        raise NotScannedWhole("StreamMaxLength")
    raise ScannerAway(f"the scanner failed: {answer[:_ANSWER]}")

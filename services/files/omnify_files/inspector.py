"""Runs `omnify_files.inspection` in a process of its own, and reads what it found."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Final

import structlog

from omnify_files.inspection import Findings, Made, Refusal

log = structlog.get_logger()
_GONE: Final = "it could not be looked at: too large, too slow or broken"


class Inspector:
    """`timeout` in seconds is for one file."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def look(self, kind: str, path: Path, folder: Path) -> Findings:
        """What a file is and what was made of it in `folder`. Raises Refusal."""
        return _findings(await self._said(kind, path, folder), folder)

    async def _said(self, kind: str, path: Path, folder: Path) -> dict[str, object]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-X", "faulthandler", "-m", "omnify_files.inspection", kind, str(path), str(folder),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                out, errors = await process.communicate()
        except TimeoutError as error:
            raise Refusal("unreadable", _GONE) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = errors.decode("utf-8", "replace")[-1500:]
            log.warning("inspection ended", kind=kind, code=process.returncode, said=said)
            raise Refusal("unreadable", _GONE)
        answer: dict[str, object] = json.loads(out)
        return answer


def _findings(said: dict[str, object], folder: Path) -> Findings:
    if "refused" in said:
        raise Refusal(str(said["refused"]), str(said["detail"]))
    facts, made = said["facts"], said["made"]
    assert isinstance(facts, dict)  # noqa: S101 - what our own program writes
    assert isinstance(made, dict)  # noqa: S101
    return Findings(
        {name: int(value) for name, value in facts.items()},
        {
            name: Made(folder / Path(one["path"]).name, one["media_type"], one["extension"])
            for name, one in made.items()
        },
    )

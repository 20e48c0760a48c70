"""Texts: UTF-8 to the last byte, and not a page or a program."""

import codecs
from pathlib import Path
from typing import Final

from omnify_files.inspection import Findings, Refusal

_PIECE: Final = 64 * 1024
_ALLOWED: Final = {"\t", "\n", "\r", "\f", "\ufeff"}


def look_at_text(path: Path) -> Findings:
    """How many lines it has. Raises Refusal."""
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 0
    with path.open("rb") as file:
        while True:
            raw = file.read(_PIECE)
            try:
                text = decoder.decode(raw, final=not raw)
            except UnicodeDecodeError as error:
                raise Refusal("type-differs", "it is not text in UTF-8") from error
            if any(sign < " " and sign not in _ALLOWED for sign in text):
                raise Refusal("type-differs", "it holds control signs, as no text does")
            lines += text.count("\n")
            if not raw:
                return Findings({"lines": lines})

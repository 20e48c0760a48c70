"""Which passwords are accepted: long ones that are neither common nor built around what is known of the user.

Source: NIST SP 800-63B-4 §3.1.1.2 (15 characters, no composition rules, a block list with context words).
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec

PRODUCT = "omnify"
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1234567890",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb",
)
_MIN_CONTEXT = 4
_MIN_REST = 8


@cache
def common() -> frozenset[str]:
    """The 30,000 most common passwords that zxcvbn ships.

    Its module is read on its own: importing the package would keep 95,000 words of other lists in memory.
    """
    package = find_spec("zxcvbn")
    spec = PathFinder.find_spec("frequency_lists", package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise RuntimeError("zxcvbn is not installed")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return frozenset(module.FREQUENCY_LISTS["passwords"])


def normalized(password: str) -> str:
    """The form that is checked and hashed (Unicode NFC), so that it does not depend on the keyboard."""
    return unicodedata.normalize("NFC", password)


def context_words(*texts: str) -> set[str]:
    """The words of names and addresses that must not carry a password, without case; the product's name among them."""
    words = {word for text in texts for word in re.split(r"[\W_]+", text.casefold())}
    whole = {re.sub(r"[\W_]+", "", text.casefold()) for text in texts}
    return {word for word in words | whole if len(word) >= _MIN_CONTEXT} | {PRODUCT}


def weakness(password: str, context: Iterable[str], *, shortest: int, longest: int) -> str | None:
    """Why a password is refused, in words for its user; None when it is accepted."""
    text = normalized(password)
    if len(text) < shortest:
        return f"use at least {shortest} characters; a few unrelated words do well"
    if len(text) > longest:
        return f"use at most {longest} characters"
    folded = text.casefold()
    if _is_common(folded):
        return "this password is among the first that attackers try"
    if _is_pattern(folded):
        return "this password is a repetition or a sequence"
    if _leans_on(folded, context):
        return "this password is built around your name, address, organisation or the product's name"
    return None


def _is_common(text: str) -> bool:
    if text in common():
        return True
    return any(text[:cut] in common() and text[cut:] in common() for cut in range(1, len(text)))


def _is_pattern(text: str) -> bool:
    unit = _period(text)
    if 2 * unit <= len(text) and (unit <= _MIN_CONTEXT or _is_common(text[:unit])):
        return True
    return any(text in run * (len(text) // len(run) + 2) for row in _RUNS for run in (row, row[::-1]))


def _period(text: str) -> int:
    """The length of the shortest unit whose repetition (the last one may be cut off) is the text."""
    border = [0] * len(text)
    for index in range(1, len(text)):
        length = border[index - 1]
        while length and text[index] != text[length]:
            length = border[length - 1]
        border[index] = length + (text[index] == text[length])
    return len(text) - (border[-1] if border else 0)


def _leans_on(text: str, context: Iterable[str]) -> bool:
    rest = text
    for word in sorted(context, key=len, reverse=True):
        rest = rest.replace(word, "")
    rest = rest.strip()
    return rest != text.strip() and (len(rest) < _MIN_REST or _is_common(rest) or _is_pattern(rest))

"""Date formats of order files: strptime directives, or letters such as YYYYMMDD."""

import re
from typing import Final

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LETTERS: Final = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))
_SHORT: Final = {"m": "0?[1-9]|1[0-2]", "d": "0?[1-9]|[12][0-9]|3[01]", "H": "[01]?[0-9]|2[0-3]", "M": "[0-5]?[0-9]"}
_FULL: Final = {"m": "0[1-9]|1[0-2]", "d": "0[1-9]|[12][0-9]|3[01]", "H": "[01][0-9]|2[0-3]", "M": "[0-5][0-9]"}
_FIXED: Final = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "b": f"(?i:{'|'.join(MONTHS)})",
    "f": "[0-9]{1,9}",
    "z": "(?:Z|[+-][0-9]{2}:?[0-9]{2})",
    "%": "%",
}
_GROUPS: Final = {"Y": "year", "y": "short_year", "m": "month", "b": "month_name", "d": "day"}
_TOKEN: Final = re.compile(r"%(.)|([^%]+)", re.DOTALL)


class InvalidDateFormat(ValueError):
    """The format has an unknown directive or does not name exactly one year, month and day."""


def date_pattern(date_format: str) -> str:
    """A regular expression (Rust and Python syntax) for whole cells, with the groups year or short_year, month or
    month_name, and day.

    Directives: %Y %y %m %b %d %H %M %S %f %z %%. A number may lack its leading zero unless it touches another number.
    The day is the one written in the cell; a time zone is checked and does not move it. Raises InvalidDateFormat.
    """
    tokens = _tokens(date_format)
    parts = [_part(tokens, position) for position in range(len(tokens))]
    names = [_GROUPS[text] for directive, text in tokens if directive and text in _GROUPS]
    kinds = sorted(name.removeprefix("short_").removesuffix("_name") for name in names)
    if kinds != ["day", "month", "year"]:
        raise InvalidDateFormat("must name the year, the month and the day once each, for example %Y-%m-%d")
    return f"^{''.join(parts)}$"


def _tokens(date_format: str) -> list[tuple[bool, str]]:
    if "%" not in date_format:
        for letters, directive in _LETTERS:
            date_format = date_format.replace(letters, directive)
    found = _TOKEN.findall(date_format)
    if sum(len(literal) or 2 for _, literal in found) != len(date_format):
        raise InvalidDateFormat("ends in a lone %")
    return [(bool(directive), directive or literal) for directive, literal in found]


def _part(tokens: list[tuple[bool, str]], position: int) -> str:
    directive, text = tokens[position]
    if not directive:
        return re.escape(text)
    if text == "S":
        text_pattern = _numbers(tokens, position)["M"]
    else:
        text_pattern = (_FIXED | _numbers(tokens, position)).get(text, "")
    if not text_pattern:
        raise InvalidDateFormat(f"has an unknown directive %{text}; known are %Y %y %m %b %d %H %M %S %f %z %%")
    return f"(?P<{_GROUPS[text]}>{text_pattern})" if text in _GROUPS else f"(?:{text_pattern})"


def _numbers(tokens: list[tuple[bool, str]], position: int) -> dict[str, str]:
    """Patterns for numbers at `position`: of exactly two digits when a neighbour is a number too."""
    neighbours = tokens[max(0, position - 1) : position] + tokens[position + 1 : position + 2]
    touching = any(
        text in "YymdHMSf" if directive else text[0].isdigit() or text[-1].isdigit() for directive, text in neighbours
    )
    return _FULL if touching else _SHORT

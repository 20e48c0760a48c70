"""The programs, built once per session."""

import pytest

from polyglot import programs

Commands = dict[str, tuple[str, ...]]


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """The command of each language's program."""
    return {language: programs.built(language, tmp_path_factory.mktemp(language)) for language in programs.LANGUAGES}

"""Secrets are made once, private, and kept."""

import json
import stat
from pathlib import Path

from omnify_local import secrets


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_private_different_and_kept(tmp_path: Path) -> None:
    secrets.ensure(tmp_path)
    folder = tmp_path / secrets.FOLDER
    files = sorted(folder.glob("*.json"))
    assert [file.stem for file in files] == ["auth", "email", "files", "infrastructure", "tokens", "webhooks"]
    assert {_mode(file) for file in files} == {0o600}
    assert {_mode(folder), _mode(tmp_path / ".omnify")} == {0o700}
    first = {file.stem: json.loads(file.read_text()) for file in files}
    assert len({*first["auth"].values(), *first["tokens"].values()}) == 5
    secrets.ensure(tmp_path)
    assert first == {file.stem: json.loads(file.read_text()) for file in files}


def test_an_edited_address_stays_and_a_missing_entry_is_added(tmp_path: Path) -> None:
    secrets.ensure(tmp_path)
    secrets.write(tmp_path, secrets.INFRASTRUCTURE, {"redis-host": "redis.example:6379"})
    secrets.ensure(tmp_path)
    infrastructure = secrets.read(tmp_path, secrets.INFRASTRUCTURE)
    assert infrastructure["redis-host"] == "redis.example:6379"
    assert infrastructure["kafka-brokers"] == "127.0.0.1:9092"

"""One name, five spellings: folder, app-id, distribution, package and environment prefix."""

import importlib
import inspect
import sys

import pytest

from architecture import repository
from omnify_shared.settings import Settings

SERVICES = repository.services()


def test_the_run_file_has_exactly_the_services() -> None:
    apps = repository.run_file()["apps"]
    assert sorted(app["appID"] for app in apps) == SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_folder_app_id_distribution_package_and_prefix_are_one_name(name: str) -> None:
    assert repository.project(f"services/{name}")["project"]["name"] == f"omnify-{name}"
    packages = [path.parent.name for path in (repository.ROOT / "services" / name).glob("*/__init__.py")]
    assert [package for package in packages if package != "tests"] == [f"omnify_{name}"]
    module = importlib.import_module(f"omnify_{name}.settings")
    [settings] = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Settings) and value.__module__ == module.__name__
    ]
    assert settings.app_id == name
    assert settings.model_config["env_prefix"] == f"{name.upper()}_"


@pytest.mark.parametrize("name", SERVICES)
def test_no_package_shadows_another_module(name: str) -> None:
    assert f"omnify_{name}" not in sys.stdlib_module_names
    for path in (repository.ROOT / "services" / name).iterdir():
        assert not (path.is_dir() and path.name in {*sys.stdlib_module_names, "shared"})


def test_ports_follow_the_app_port_and_none_is_used_twice() -> None:
    seen: set[int] = set()
    for app in repository.run_file()["apps"]:
        number = app["appPort"] - 8000
        ports = [app[key] for key in ("appPort", "daprHTTPPort", "daprGRPCPort", "daprInternalGRPCPort", "metricsPort")]
        assert ports == [base + number for base in (8000, 3500, 3600, 3700, 3800)], app["appID"]
        assert not seen & set(ports)
        seen |= set(ports)


@pytest.mark.parametrize("app", repository.run_file()["apps"], ids=lambda app: app["appID"])
def test_the_run_file_starts_each_service_on_loopback_beside_its_sidecar(app: dict[str, object]) -> None:
    command = app["command"]
    assert isinstance(command, list)
    assert command[:3] == [".venv/bin/uvicorn", "--factory", f"omnify_{app['appID']}.app:create_app"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == str(app["appPort"])
    # The oldest CLI that is supported fails on an app without an environment of its own.
    assert app["env"]
    assert app["appDirPath"] == "."


def test_the_run_file_binds_the_sidecars_to_loopback_and_watches_the_apps() -> None:
    common = repository.run_file()["common"]
    assert common["apiListenAddresses"] == "127.0.0.1"
    assert common["enableAppHealthCheck"] is True
    assert common["appHealthCheckPath"] == "/health/live"

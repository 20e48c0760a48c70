"""What is deployed: source folders with one service each, and a template that names what there is."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnify_functions.catalogue import FUNCTIONS
from omnify_local import bundles, paths

TEMPLATE = paths.repository() / "deploy" / "functions" / "template.yaml"
WHEN_NEEDED = {"auth": {"segno", "webauthn"}, "email": {"dns", "sendgrid", "aiosmtplib"}, "files": {"PIL", "pypdf"}}


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain values."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else None


_Loader.add_multi_constructor("!", _plain)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("cloud", bundles.CLOUDS)
def test_a_source_folder_holds_its_own_service_and_a_lock_with_hashes(tmp_path: Path, name: str, cloud: str) -> None:
    target = bundles.bundle(paths.repository(), name, cloud, tmp_path / "made")
    own = f"omnify_{FUNCTIONS[name].service}"
    entry = bundles.CLOUDS[cloud][0]
    assert {path.name for path in target.iterdir()} == {
        entry, "requirements.txt", own, "omnify_shared", "omnify_functions",
    }  # fmt: skip
    assert not (target / "omnify_shared" / "testing").exists()
    lock = (target / "requirements.txt").read_text()
    adapters = {"google": "functions-framework==", "aws": "mangum=="}
    assert [cloud for cloud, adapter in adapters.items() if adapter in lock] == [cloud]
    assert "--hash=sha256:" in lock
    assert "pytest" not in lock


def test_the_template_names_what_there_is_and_loses_no_event() -> None:
    text = TEMPLATE.read_text()
    resources = yaml.load(text, _Loader)["Resources"]  # noqa: S506 - a safe loader with tags
    functions = {key: one["Properties"] for key, one in resources.items() if one["Type"].endswith("::Function")}
    assert {Path(one["CodeUri"]).name.rpartition("-")[0] for one in functions.values()} == FUNCTIONS.keys()
    for properties in functions.values():
        name, _, cloud = Path(properties["CodeUri"]).name.rpartition("-")
        entry = (TEMPLATE.parent / name / "lambda_function.py").read_text()
        assert (name in FUNCTIONS, cloud) == (True, "aws")
        assert re.search(rf"^{properties['Handler'].removeprefix('lambda_function.')} = ", entry, re.MULTILINE)
        events = properties["Events"].values()
        for event in events:
            if event["Type"] == "SQS":
                assert event["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        routes = {f"{one['Method']} {one['Path']}" for one in (e["Properties"] for e in events) if "Path" in one}
        if properties["Handler"].endswith(".handler"):
            assert routes == set(FUNCTIONS[name].operations)
    assert not re.search(r"\b\d{12}\b", text), "an account id"


@pytest.mark.parametrize("service", WHEN_NEEDED)
def test_a_cold_start_does_not_load_what_few_calls_need(service: str) -> None:
    code = f"import sys, omnify_{service}.app; print(*({WHEN_NEEDED[service]!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert run.stdout.split() == []

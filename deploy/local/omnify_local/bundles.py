"""Source folders of the functions, as the clouds take them: entry points, locked requirements, our own packages."""

import shutil
from pathlib import Path

from omnify_functions.catalogue import FUNCTIONS

CLOUDS = {"google": ("main.py", "requirements.txt"), "aws": ("lambda_function.py", "requirements-aws.txt")}
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "testing")


def make(root: Path, target: Path) -> list[Path]:
    """Writes `target/<function>-<cloud>` for every function anew; what is beside them stays."""
    return [bundle(root, name, cloud, target / f"{name}-{cloud}") for name in FUNCTIONS for cloud in CLOUDS]


def bundle(root: Path, name: str, cloud: str, target: Path) -> Path:
    """One function for one cloud. A function's folder holds its own service and no other."""
    entry, lock = CLOUDS[cloud]
    service, folder = FUNCTIONS[name].service, root / "deploy" / "functions"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(folder / name / entry, target / entry)
    shutil.copy(folder / name / lock, target / "requirements.txt")
    packages = (root / "shared" / "omnify_shared", folder / "omnify_functions")
    for package in (*packages, root / "services" / service / f"omnify_{service}"):
        shutil.copytree(package, target / package.name, ignore=_LEFT_OUT)
    return target

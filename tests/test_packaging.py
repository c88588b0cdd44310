"""What ships, installs and checks the library agrees with itself: make, .ci/run, hosted CI, the container."""

import configparser
import fnmatch
import re
import subprocess
from pathlib import Path

import jax
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
MAKE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKE, re.MULTILINE))
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
HOSTED = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
PRE_COMMIT = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line.partition("#")[0].strip()) for line in lines]


def test_every_check_is_a_target_of_make_and_hosted_ci_runs_all_of_them():
    steps = re.search(r"^for step in (.*); do$", CI, re.MULTILINE)[1].split()
    hosted = re.findall(r"run: make ([a-z-]+)$", HOSTED, re.MULTILINE)
    assert {*steps, *hosted, *re.findall(r"make (\w+)$", PRE_COMMIT, re.MULTILINE)} <= TARGETS
    assert set(hosted) <= {*steps, "test-oldest"} and "run: .ci/run" in HOSTED
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKE, re.MULTILINE)[1].split())
    assert phony == TARGETS


def test_the_contribution_guide_lists_the_checks_and_only_those():
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `make ([a-z-]+)` \|", guide, re.MULTILINE))
    assert listed == TARGETS - {"help", "demo", "app", "clean"}


def test_hosted_ci_tries_the_versions_of_python_that_the_package_names():
    tried = re.findall(r'"(3\.\d+)"', re.search(r"python: \[(.*)\]", HOSTED)[1])
    named = re.findall(r"Python :: (3\.\d+)", setup()["metadata"]["classifiers"])
    assert tried == named and setup()["options"]["python_requires"] == f">={tried[0]}"


def test_every_requirement_has_a_lower_bound_that_the_oldest_environment_takes(tmp_path):
    expression = re.search(r"^LOWER := (.*)$", MAKE, re.MULTILINE)[1]
    listed = subprocess.run(
        ["sed", "-n", expression, "requirements.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    oldest = dict(line.split("==") for line in listed.stdout.split())
    assert oldest == {
        requirement.name: min(part.version for part in requirement.specifier if part.operator == ">=")
        for requirement in requirements()
    }


def test_the_jax_of_this_environment_is_one_that_the_package_takes():
    (bounds,) = (one.specifier for one in requirements() if one.name == "jax")
    assert jax.__version__ in bounds and "99" not in bounds


def test_the_container_gets_what_it_installs():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert ignored[0] == "*" and {f"!{name}" for name in copied} <= set(ignored)
    assert all((ROOT / name).exists() for name in copied)
    installed = text.index("RUN pip install")
    for name in ("requirements.txt", "setup.cfg", "pyproject.toml", "README.md", "LICENSE", "jaxpath"):
        assert name in copied and text.index(name) < installed
    extras = re.search(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)[1].split(",")
    assert set(extras) <= set(setup()["options.extras_require"])


def test_every_file_of_the_package_that_is_no_python_is_in_the_wheel():
    listed = subprocess.run(["git", "ls-files", "jaxpath"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("needs a checkout of git")
    others = [Path(name) for name in listed.stdout.split() if not name.endswith(".py")]
    patterns = [
        f"{package.replace('.', '/')}/{pattern.strip()}"
        for package, line in setup()["options.package_data"].items()
        for pattern in line.split(",")
    ]
    assert others
    assert [str(path) for path in others if not any(fnmatch.fnmatch(str(path), p) for p in patterns)] == []

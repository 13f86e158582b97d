"""The package says in one place what it needs; every other file that repeats it is kept in step."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
STATED = [
    Requirement(text) for text in (*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra))
]
REQUIREMENTS = [requirement for requirement in STATED if requirement.name != "dianet-lab"]  # an extra names another


def constraints() -> dict[str, str]:
    """Name -> the tested version."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line) for line in lines]
    assert all(pairs), "constraints.txt: every line is NAME==VERSION"
    return {canonicalize_name(pair[1]): pair[2] for pair in pairs}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_a_dependency_has_a_tested_version_that_it_allows(requirement):
    assert requirement.specifier.contains(constraints()[canonicalize_name(requirement.name)])


def test_what_the_package_imports_is_declared():
    """No import that works only because another package happens to need the same thing."""
    declared = {canonicalize_name(requirement.name) for requirement in REQUIREMENTS}
    owners = metadata.packages_distributions()
    for path in (ROOT / "dianet_lab").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE):
            owner = {canonicalize_name(owner) for owner in owners.get(name, ())} - {"dianet-lab"}
            assert not owner or owner & declared, f"{path.name} imports {name}, which pyproject.toml does not declare"


def test_environment_yml_adds_nothing_but_python():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert conda == [f"python={PROJECT['requires-python'].removeprefix('>=')}", "pip"]
    assert pip == {"pip": ["--constraint constraints.txt", "--editable .[test]"]}


def test_every_target_of_the_makefile_that_the_help_names_is_there():
    text = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"make ([\w-]+) ", text))
    assert named >= {"report", "report-all", "test", "lab", "bench", "clean"}
    assert all(re.search(rf"^{target}:", text, re.MULTILINE) for target in named)


def test_the_citation_names_the_lab_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"]
    assert citation["references"][0]["title"].startswith("DIANet")

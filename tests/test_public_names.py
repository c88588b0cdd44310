"""The public interface is what docs/public-interface.md says, name by name, and has one version."""

import configparser
import importlib
import re
from pathlib import Path

import pytest

import jaxpath

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "public-interface.md").read_text(encoding="utf-8")
LIST = Path(__file__).with_name("public_names.txt")


def places() -> tuple[list[str], list[str]]:
    """The packages and the modules that the page names."""
    packages, modules = re.search(
        r"its packages (.*?), and the functions and classes of the\s+modules (.*?) that", PAGE, re.DOTALL
    ).groups()
    return re.findall(r"`(\w+)`", packages), re.findall(r"`(\w+)`", modules)


def public_names() -> list[str]:
    packages, modules = places()
    names = [f"jaxpath.{name}" for name in jaxpath.__all__]
    for place in packages:
        package = importlib.import_module(f"jaxpath.{place}")
        names += [f"jaxpath.{place}.{name}" for name in package.__all__]
    for place in modules:
        module = importlib.import_module(f"jaxpath.{place}")
        own = [name for name, value in vars(module).items() if is_own(value, module.__name__)]
        names += [f"jaxpath.{place}.{name}" for name in own if not name.startswith("_")]
    return sorted(set(names))


def is_own(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module


def test_names_come_and_go_only_with_the_list():
    """Without one, somebody's program breaks (docs/public-interface.md); a new one is listed."""
    listed = LIST.read_text(encoding="utf-8").split()
    found = public_names()
    assert {"gone": sorted(set(listed) - set(found)), "new": sorted(set(found) - set(listed))} == {
        "gone": [],
        "new": [],
    }
    assert listed == sorted(listed)


@pytest.mark.parametrize("place", ["", *(f".{place}" for place in places()[0])])
def test_every_name_of_a_package_is_there_and_is_listed_once(place):
    package = importlib.import_module(f"jaxpath{place}")
    assert len(set(package.__all__)) == len(package.__all__)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_the_api_pages_are_about_what_is_public():
    packages, modules = places()
    described = {path.stem for path in (ROOT / "docs" / "api").glob("*.md")}
    assert described <= {*packages, *modules}


def test_there_is_one_version():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["version"] == "attr: jaxpath.__version__"
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    dated = re.search(r"^date-released: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert released[0] == (jaxpath.__version__, dated) and cited == jaxpath.__version__


def test_every_version_of_the_changelog_has_one_section_with_something_in_it():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    titles = [section.splitlines()[0] for section in sections]
    assert len(set(titles)) == len(titles)
    form = re.compile(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \S+")
    assert [title for title in titles if not form.fullmatch(title)] == []
    for section in sections:
        parts = re.split(r"^### ", section, flags=re.MULTILINE)[1:]
        names = [part.splitlines()[0] for part in parts]
        assert set(names) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        assert len(set(names)) == len(names) and all(part.count("\n- ") for part in parts)


if __name__ == "__main__":
    LIST.write_text("".join(f"{name}\n" for name in public_names()), encoding="utf-8")

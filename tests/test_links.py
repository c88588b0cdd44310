"""Every link inside the repository leads somewhere, to the heading as well, wherever the page is read."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")])
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")


def prose(page: Path) -> str:
    """The text without code."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", lambda code: "code" if "](" in code[0] else code[0], text)


def anchors(page: Path, *, on_site: bool) -> list[str]:
    """The anchors of the headings, as the site or as GitHub makes them."""
    found = []
    for heading in re.findall(r"^#{1,6} (.*)$", prose(page), flags=re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").lower()
        kept = re.sub(r"[^\w\s-]", "", words).strip()
        found.append(re.sub(r"[-\s]+", "-", kept) if on_site else kept.replace(" ", "-"))
    return found


def broken(page: Path) -> list[str]:
    bad = []
    on_site = page.is_relative_to(ROOT / "docs")
    for link in LINK.findall(prose(page)):
        place, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        file = (page.parent / place) if place else page
        leads_out = on_site and not file.resolve().is_relative_to(ROOT / "docs")
        # The headings of API pages are made of docstrings.
        known = file.suffix == ".md" and file.parent.name != "api"
        is_there = file.exists() and not leads_out
        if not is_there or (anchor and known and anchor not in anchors(file, on_site=on_site)):
            bad.append(link)
    return bad


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("test_links.ROOT", tmp_path)
    (tmp_path / "other.md").write_text("# A `b`: c\n\n## Twice - said\n")
    page = tmp_path / "page.md"
    page.write_text(
        "![two\nlines](none.png) [a](other.md#a-b-c) [b](other.md#twice---said) [c](other.md#twice-said)\n"
        "```text\n[d](gone.md)\n```\n[e](#nothing) [f](https://example.org/x#y)\n"
    )
    assert broken(page) == ["none.png", "other.md#twice-said", "#nothing"]


def test_every_page_and_picture_of_the_documentation_is_linked():
    """The menu has every page; a picture that no page shows is of no use."""
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    pages = {str(page.relative_to(docs)) for page in docs.rglob("*.md")}
    assert [page for page in sorted(pages) if f" {page}\n" not in menu] == []
    pictures = sorted(picture.name for picture in (docs / "images").iterdir())
    assert [picture for picture in pictures if f"images/{picture})" not in texts] == []

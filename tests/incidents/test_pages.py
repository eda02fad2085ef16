"""The pages by themselves: one for each incident, all alike, each reached from docs/operate.md."""

import re

import pytest

from tests.incidents.page import OPERATE, Page

PAGES = sorted(path.stem for path in (OPERATE.parent / "operate").glob("*.md"))
SECTIONS = ["What you see", "What it means", "What to do", "How you know that it is over"]


def test_every_page_is_linked() -> None:
    linked = re.findall(r"\]\(operate/([a-z-]+)\.md\)", OPERATE.read_text(encoding="utf-8"))
    assert sorted(linked) == PAGES
    assert len(PAGES) == 10


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_others(name: str) -> None:
    text = (OPERATE.parent / "operate" / f"{name}.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    page = Page(name)
    assert page.queries
    assert page.commands
    for link in re.findall(r"\]\(([a-z-]+)\.md\)", text):
        assert link in PAGES

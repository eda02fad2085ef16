"""Temporal's UI in a real browser, as an operator has it open."""

import os
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Error, Page, Response

SEE_SECONDS = 60.0
NEWS_SECONDS = 0.5
PICTURES = "DABIR_PICTURES"
"""A folder that the pictures are copied into, if it is set."""
STILL = """
addEventListener('DOMContentLoaded', () => document.head.append(Object.assign(document.createElement('style'),
  {textContent: '*, *::before, *::after { animation: none !important; transition: none !important }'})))
"""
"""The dot beside each running workflow beats, and keeps a core half busy with it."""
FOLLOW_LINK = "path => document.body.appendChild(Object.assign(document.createElement('a'), {href: path})).click()"
DRAWN = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
BETWEEN_LISTS = "/namespaces/dabir/schedules"
"""A page without a list: straight from one list to another the UI would go on showing the filter of the first."""


class Ui:
    """One tab. A running workflow's page never falls silent: what is waited for is text."""

    def __init__(self, browser: Browser, address: str, pictures: Path) -> None:
        self._tab: Page = browser.new_page(viewport={"width": 1500, "height": 1100})
        self._tab.add_init_script(STILL)
        self._address, self._pictures = f"http://{address}", pictures

    def open(self, path: str) -> None:
        """Opens a list of the UI: its address from the `/` on, as a page of ours gives it.

        The first is loaded; then the tab follows links, as loading costs two seconds of a processor. Returns when the
        tab shows the answer to this query: in an empty list of another one nothing would be proven.
        """
        query = _query(path)
        if self._listed and self._tab.url != self._address + path:
            self._tab.evaluate(FOLLOW_LINK, BETWEEN_LISTS)
            self._tab.wait_for_url(self._address + BETWEEN_LISTS)
        with self._tab.expect_response(lambda answer: _lists(answer, query), timeout=1000 * SEE_SECONDS) as answered:
            if self._listed:
                self._ask_for_news()
            elif self._tab.url.startswith(self._address):
                self._tab.evaluate(FOLLOW_LINK, path)
            else:
                self._tab.goto(self._address + path, wait_until="domcontentloaded")
        answered.value.finished()
        self._tab.evaluate(DRAWN)

    @property
    def _listed(self) -> bool:
        return "?query=" in self._tab.url

    def sees(self, *texts: str, absent: str = "") -> None:
        """Returns when the tab shows all of the texts, asked for news again and again; `absent` is not in it."""
        began = time.monotonic()
        pause_seconds = NEWS_SECONDS
        news = began + pause_seconds
        while True:
            shown, now = self._shown(), time.monotonic()
            if shown and all(_plain(text) in shown for text in texts) and not (absent and absent in shown):
                return
            assert now - began < SEE_SECONDS, f"not seen: {texts}, or still: {absent!r}, in:\n{shown}"
            if now > news:
                self._ask_for_news()
                pause_seconds *= 1.25
                news = now + pause_seconds
            self._tab.wait_for_timeout(100)

    def _ask_for_news(self) -> None:
        """As a person does: by the list's button, by the key that a workflow's page names."""
        refresh = self._tab.get_by_role("button", name="Refresh", exact=True)
        if refresh.is_visible():
            refresh.click()
        else:
            self._tab.keyboard.press("r")

    def follow(self, link: str) -> None:
        """Clicks on a link of the tab, e.g. a workflow's id in a list."""
        self._tab.get_by_role("link", name=link, exact=True).first.click()

    def turn_to(self, tab: str) -> None:
        """Opens one of the parts of a workflow's page, e.g. "User Metadata", which has the current details."""
        part = self._tab.get_by_role("link", name=tab).or_(self._tab.get_by_role("tab", name=tab))
        part.first.click()

    def terminate(self, reason: str) -> None:
        """Ends the workflow on the tab, by the UI's own menu."""
        self._tab.get_by_role("button", name="More Actions").click()
        self._tab.get_by_role("menuitem", name="Terminate").click()
        dialog = self._tab.get_by_role("alertdialog").or_(self._tab.get_by_role("dialog")).last
        dialog.get_by_role("textbox").fill(reason)
        dialog.get_by_role("button", name="Terminate").click()

    def picture(self, name: str) -> None:
        """Keeps what the tab shows now."""
        file = self._pictures / f"{name}.png"
        self._tab.screenshot(path=file)
        if folder := os.environ.get(PICTURES):
            Path(folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder)

    def _shown(self) -> str:
        """The text of the tab and of the frames that details are rendered in, each run of blanks one space."""
        texts = []
        for frame in self._tab.frames:
            try:
                texts.append(frame.evaluate("document.body ? document.body.innerText : ''"))
            except Error:  # it is being loaded anew
                continue
        return _plain(" ".join(texts))


def _query(address: str) -> list[str]:
    return parse_qs(urlsplit(address).query)["query"]


def _lists(answer: Response, query: list[str]) -> bool:
    """Whether these are the lines of the query, and not what the UI asks beside them: how many there are."""
    return urlsplit(answer.url).path.endswith("/workflows") and "/api/" in answer.url and _query(answer.url) == query


def _plain(text: str) -> str:
    """As words follow each other: a number such as 1405/1 is shown with a fraction's stroke."""
    return " ".join(text.replace("\u2044", "/").split())

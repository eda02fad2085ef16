"""Temporal's UI in a real browser, as an operator has it open."""

import os
import shutil
import time
from pathlib import Path

from playwright.sync_api import Browser, Error, Page

SEE_SECONDS = 60.0
NEWS_SECONDS = 1.0
PICTURES = "DABIR_PICTURES"
"""A folder that the pictures are copied into, if it is set."""


class Ui:
    """One tab. A running workflow's page never falls silent: what is waited for is text."""

    def __init__(self, browser: Browser, address: str, pictures: Path) -> None:
        self._tab: Page = browser.new_page(viewport={"width": 1500, "height": 1100})
        self._address, self._pictures = address, pictures

    def open(self, path: str) -> None:
        """Loads an address of the UI: what a page of ours gives of it, from the `/` on.

        Never by a link within the UI: it would keep the filter that it showed before.
        """
        self._tab.goto(f"http://{self._address}{path}", wait_until="domcontentloaded")

    def sees(self, *texts: str, absent: str = "") -> None:
        """Returns when the tab shows all of the texts, asked for news again and again; `absent` is not in it."""
        began = time.monotonic()
        news = began + NEWS_SECONDS
        while True:
            shown, now = self._shown(), time.monotonic()
            if shown and all(_plain(text) in shown for text in texts) and not (absent and absent in shown):
                return
            assert now - began < SEE_SECONDS, f"not seen: {texts}, or still: {absent!r}, in:\n{shown}"
            if now > news:
                self._ask_for_news()
                news = now + NEWS_SECONDS
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


def _plain(text: str) -> str:
    """As words follow each other: a number such as 1405/1 is shown with a fraction's stroke."""
    return " ".join(text.replace("\u2044", "/").split())

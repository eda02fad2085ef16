"""Incidents of one letter: not acknowledged, lacking, at the wrong body, parked, terminated."""

from urllib.parse import quote

from dabir.formats import names
from tests.chaos.faults import runs
from tests.incidents.hub import FREEZE_ORDER, Hub
from tests.incidents.page import Page
from tests.incidents.ui import Ui
from tests.waiting import until

NO_LINES = "No Workflows Found"


def workflow_id(letter: str) -> str:
    """As the UI lists it."""
    return f"letter/{names.split_letter(letter)}"


def about(query: str, number: str, sender: str) -> str:
    """The page's query by its example's number and sender, for another letter."""
    return query.replace("1405%2F12%2F345", quote(number, safe="")).replace("interior", sender)


def test_an_order_is_not_acknowledged(hub: Hub, ui: Ui) -> None:
    page = Page("urgent")
    letter = hub.send("prosecutor", ["sample-bank"], FREEZE_ORDER)
    ui.open(page.queries[0])
    ui.sees(workflow_id(letter))
    ui.picture("urgent-list")
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees("bodies/sample-bank", "ResendNotification", *page.sees)
    ui.picture("urgent")
    done = page.do(0, hub.stack.directory, LETTER=letter, DELIVERY=names.delivery(letter, 1))
    assert "Stated: statements/" in done.stdout, done.stderr
    hub.accept("sample-bank", letter)
    ui.open(page.queries[0])
    ui.sees(NO_LINES)


def test_we_sent_it_they_lack_it(hub: Hub, ui: Ui) -> None:
    page = Page("lacking")
    letter = hub.send("prosecutor", ["sample-bank"])
    ui.open(about(page.queries[0], hub.number("prosecutor", letter), "prosecutor"))
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees("bodies/sample-bank", *page.sees)
    ui.picture("lacking")
    proof = page.do(0, hub.stack.directory, LETTER=letter, DABIR_PROFILE=hub.profile("prosecutor"))
    assert proof.returncode == 0, proof.stderr
    assert "✓ درستی" in proof.stdout
    inbox = page.do(1, hub.stack.directory, DABIR_PROFILE=hub.profile("sample-bank"))
    assert f"{names.split_letter(letter)}/1" in inbox.stdout
    told = page.do(2, hub.stack.directory, LETTER=letter, DELIVERY=names.delivery(letter, 1))
    assert told.returncode == 0, told.stderr
    hub.accept("sample-bank", letter)
    ui.sees(absent="stands at AVAILABLE")


def test_a_letter_went_to_the_wrong_body(hub: Hub, ui: Ui) -> None:
    page = Page("wrong-body")
    letter = hub.send("prosecutor", ["second-bank"])
    ui.open(about(page.queries[0], hub.number("prosecutor", letter), "prosecutor"))
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees("bodies/second-bank", *page.sees)
    ui.picture("wrong-body")
    recalled = page.do(0, hub.stack.directory, LETTER=letter, DABIR_PROFILE=hub.profile("prosecutor"))
    assert recalled.returncode == 0, recalled.stderr
    ui.open(page.queries[1])
    ui.sees(workflow_id(letter), "Completed")
    ui.picture("wrong-body-withdrawn")


def test_a_letter_is_parked(hub: Hub, ui: Ui) -> None:
    page, claim = Page("parked"), "UPDATE documents.claim SET letter = %s WHERE letter = %s"
    with hub.workers_held():
        letter = hub.send("prosecutor", ["sample-bank"])
        other = names.letter("00000000-0000-4000-8000-000000000000")
        assert hub.sql(claim, other, letter) == 1
    ui.open(page.queries[0])
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.turn_to("User Metadata")
    ui.sees("CLAIM_NOT_HELD", *page.sees)
    ui.picture("parked")
    log = page.do(0, hub.stack.directory, REASON="CLAIM_NOT_HELD")
    assert "SetRetention" in log.stdout
    assert hub.sql(claim, letter, other) == 1
    tried = page.do(1, hub.stack.directory, LETTER=letter)
    assert tried.returncode == 0, tried.stderr
    hub.accept("sample-bank", letter)
    ui.open(page.queries[0])
    ui.sees(NO_LINES)


def test_somebody_terminated_a_workflow(hub: Hub, ui: Ui) -> None:
    page = Page("terminated")
    letter = hub.send("prosecutor", ["sample-bank"])
    until("the letter has a run", lambda: workflow_id(letter) in runs(hub.stack))
    ui.open(page.queries[1])
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.terminate("it was in the way")
    ui.sees("Terminated")
    ui.open(page.queries[0])
    ui.sees(workflow_id(letter))
    ui.follow(workflow_id(letter))
    ui.turn_to("Event History")
    ui.sees("it was in the way", *page.sees)
    ui.picture("terminated")
    until("the letter has a run again", lambda: workflow_id(letter) in runs(hub.stack))
    listed = page.do(0, hub.stack.directory, LETTER=letter)
    assert workflow_id(letter) in listed.stdout, listed.stderr
    ui.open(page.queries[1])
    ui.sees(workflow_id(letter))
    hub.accept("sample-bank", letter)

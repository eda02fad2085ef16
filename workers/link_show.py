"""What an operator sees of a body's link in the Temporal UI: one line for one incident. Pure."""

from collections.abc import Sequence
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from dabir.notifications.v1.notifications_pb2 import DownLink
from workers import show
from workers.plan import instant
from workers.step import Trouble, Waiting

WAITING_COUNT = SearchAttributeKey.for_int("DabirWaitingCount")
SINCE = SearchAttributeKey.for_datetime("DabirSince")

_TITLES = {
    "LINK_DOWN": "Down: what is sent there fails",
    "LINK_PAUSED": "Paused by an operator: nothing is sent there",
    "LINK_UP": "Up again",
}


def stage(link: DownLink, *, up: bool) -> str:
    if up:
        return "LINK_UP"
    return "LINK_PAUSED" if link.HasField("pause_time") else "LINK_DOWN"


def attributes(link: DownLink, waiting: Sequence[Waiting], *, up: bool) -> dict[SearchAttributeKey[Any], Any]:
    """`waiting`: steps of the run that wait."""
    stands = stage(link, up=up)
    parked = any(step.trouble == Trouble.NEEDS_ATTENTION for step in waiting)
    on = {"LINK_DOWN": "recipient", "LINK_PAUSED": "operator", "LINK_UP": "nobody"}[stands]
    return {
        show.RECIPIENTS: [link.body],
        show.STAGE: stands,
        show.WAITING_ON: "operator" if parked else "hub" if waiting else on,
        show.ATTENTION: show.gravest(waiting) or ("NONE" if up else stands),
        WAITING_COUNT: 0 if up else link.waiting,
        SINCE: instant(link.since),
    }


def at_start(link: DownLink) -> TypedSearchAttributes:
    """For the start of a workflow."""
    found = attributes(link, [], up=False).items()
    return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in found])


def is_shown(link: DownLink, shown: TypedSearchAttributes) -> bool:
    """Whether a run's attributes say how the link stands; steps that wait are the run's own affair."""
    wanted = attributes(link, [], up=False)
    return all(shown.get(key) == wanted[key] for key in (show.STAGE, WAITING_COUNT, SINCE))


def summary(link: DownLink) -> str:
    """One line: whose, since when."""
    return f"link of {link.body} · since {show.time(instant(link.since))}"


def details(link: DownLink, waiting: Sequence[Waiting], notes: Sequence[str], *, up: bool) -> str:
    """Markdown: since when, how many wait, the oldest, and what an operator can do now."""
    lines = [f"### {_TITLES[stage(link, up=up)]}", f"`{link.body}`, since {show.time(instant(link.since))}", ""]
    lines += show.trouble_lines(waiting)
    if not up:
        oldest = f"; the oldest is of {show.time(instant(link.oldest))}" if link.HasField("oldest") else ""
        lines += [f"**{link.waiting}** notifications wait{oldest}.", ""]
    if link.HasField("pause_time") and not up:
        lines += [f"Paused at {show.time(instant(link.pause_time))}: what comes waits until it is resumed.", ""]
    elif not up:
        lines += ["Each is tried again by its schedule. The line ends by itself when a try arrives.", ""]
    lines += [f"- {note}" for note in notes]
    return "\n".join([*lines, "", "**What you can do now**", "", *_action_lines(link, waiting, up=up)])


def _action_lines(link: DownLink, waiting: Sequence[Waiting], *, up: bool) -> list[str]:
    who = '"operator": "…", "reason": "…"'
    lines = [show.RETRY_LINE] if waiting else []
    if not up and link.HasField("pause_time"):
        lines.append(
            f'- update `Resume` `{{{who}, "ratePerMinute": 60}}`: sends what waits, so many a minute; 0: no limit'
        )
    elif not up:
        lines.append(f"- update `Pause` `{{{who}}}`: sends nothing there until `Resume`; what comes waits")
    if not lines:
        lines.append("- nothing: it goes on by itself")
    return [*lines, "", "Letters do not wait for this: they lie in the mailbox, and their clocks run."]

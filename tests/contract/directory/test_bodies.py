"""Bodies and offices: every RPC, every reason."""

from typing import Any

import pytest

from dabir.directory.v1 import directory_pb2 as pb
from tests.contract.directory.hub import Directory, a_body, an_office
from tests.contract.harness import DEADLINE_SECONDS, refusal


async def test_a_body_is_read_back_as_it_was_made(directory: Directory) -> None:
    body = a_body("bodies/read-back", time_zone="Europe/Berlin", calendar=pb.CALENDAR_GREGORIAN)
    made = await directory.operator.CreateBody(pb.CreateBodyRequest(body=body), timeout=DEADLINE_SECONDS)
    stub = await directory.members("intake")
    found = await stub.GetBody(pb.GetBodyRequest(name=body.name))
    assert made.body == found.body == body


async def test_the_same_body_again_is_the_stored_answer_and_another_one_is_refused(directory: Directory) -> None:
    request = pb.CreateBodyRequest(body=a_body("bodies/twice"))
    first = await directory.operator.CreateBody(request, timeout=DEADLINE_SECONDS)
    assert await directory.operator.CreateBody(request, timeout=DEADLINE_SECONDS) == first
    other = pb.CreateBodyRequest(body=a_body("bodies/twice", display_name_en="Another"))
    refused = await refusal(directory.operator.CreateBody(other, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "BODY_ALREADY_EXISTS")
    found = await (await directory.members("intake")).GetBody(pb.GetBodyRequest(name="bodies/twice"))
    assert found.body == first.body


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"time_zone": "Asia/Teheran"}, "TIME_ZONE_UNKNOWN"),
        ({"time_zone": "../../etc/passwd"}, "TIME_ZONE_UNKNOWN"),
        ({"time_zone": "localtime"}, "TIME_ZONE_UNKNOWN"),  # of the machine, not of the pinned database
        ({"display_name_fa": "وزارت\u202eکشور"}, "BIDI_CHARACTER"),
        ({"display_name_en": "Ministry\x07"}, "CONTROL_CHARACTER"),
        ({"name": "bodies/X"}, "REQUEST_INVALID"),
        ({"calendar": pb.CALENDAR_UNSPECIFIED}, "REQUEST_INVALID"),
    ],
)
async def test_a_body_that_cannot_be_is_refused_and_not_stored(
    directory: Directory, changed: dict[str, Any], reason: str
) -> None:
    body = a_body(**{"name": "bodies/cannot-be", **changed})
    refused = await refusal(directory.operator.CreateBody(pb.CreateBodyRequest(body=body), timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", reason)
    assert directory.rows(b"SELECT count(*) FROM directory.body WHERE name = 'bodies/cannot-be'") == [(0,)]


async def test_zwnj_passes(directory: Directory) -> None:
    body = a_body("bodies/zwnj", display_name_fa="برنامه\u200cوبودجه")
    await directory.operator.CreateBody(pb.CreateBodyRequest(body=body), timeout=DEADLINE_SECONDS)


async def test_an_unknown_body_is_not_found(directory: Directory) -> None:
    stub = await directory.members("intake")
    refused = await refusal(stub.GetBody(pb.GetBodyRequest(name="bodies/nobody")))
    assert (refused.code, refused.reason) == ("NOT_FOUND", "BODY_NOT_FOUND")
    for call in (
        stub.ListOffices(pb.ListOfficesRequest(parent="bodies/nobody")),
        stub.GetCertificates(pb.GetCertificatesRequest(parent="bodies/nobody")),
        directory.operator.CreateOffice(
            pb.CreateOfficeRequest(office=an_office("bodies/nobody/offices/main")), timeout=DEADLINE_SECONDS
        ),
    ):
        assert (await refusal(call)).reason == "BODY_NOT_FOUND"


async def test_bodies_are_listed_by_name_in_pages(directory: Directory) -> None:
    for number in range(5):
        await directory.create(f"page-{number}")
    stub, names, token = await directory.members("intake"), list[str](), ""
    while True:
        page = await stub.ListBodies(pb.ListBodiesRequest(page_size=2, page_token=token))
        assert len(page.bodies) <= 2
        names += [body.name for body in page.bodies]
        token = page.next_page_token
        if not token:
            break
    assert names == sorted(names)
    assert [name for name in names if "page-" in name] == [f"bodies/page-{number}" for number in range(5)]


async def test_a_page_token_is_its_callers_and_its_querys(directory: Directory) -> None:
    await directory.create("token-a", offices=("one", "two"))
    intake, documents = await directory.members("intake"), await directory.members("documents")
    page = await intake.ListOffices(pb.ListOfficesRequest(parent="bodies/token-a", page_size=1))
    assert [office.name for office in page.offices] == ["bodies/token-a/offices/one"]
    again = pb.ListOfficesRequest(parent="bodies/token-a", page_token=page.next_page_token)
    assert [office.name for office in (await intake.ListOffices(again)).offices] == ["bodies/token-a/offices/two"]
    for call in (
        documents.ListOffices(again),
        intake.ListOffices(pb.ListOfficesRequest(parent="bodies/-", page_token=page.next_page_token)),
        intake.ListBodies(pb.ListBodiesRequest(page_token=page.next_page_token)),
        intake.ListBodies(pb.ListBodiesRequest(page_token=page.next_page_token[:-3])),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


async def test_the_offices_of_one_body_or_of_all(directory: Directory) -> None:
    await directory.create("offices-a", offices=("one", "two"))
    await directory.create("offices-b", offices=("three",))
    stub = await directory.members("intake")
    of_one = await stub.ListOffices(pb.ListOfficesRequest(parent="bodies/offices-a"))
    assert [office.name for office in of_one.offices] == [
        "bodies/offices-a/offices/one",
        "bodies/offices-a/offices/two",
    ]
    of_all = await stub.ListOffices(pb.ListOfficesRequest(parent="bodies/-", page_size=500))
    names = [office.name for office in of_all.offices]
    assert names == sorted(names)
    assert {"bodies/offices-a/offices/one", "bodies/offices-b/offices/three"} <= set(names)


async def test_an_office_again_is_the_stored_answer_and_another_one_is_refused(directory: Directory) -> None:
    await directory.create("office-twice")
    office = an_office("bodies/office-twice/offices/north", "{year}/12/{sequence}")
    request = pb.CreateOfficeRequest(office=office)
    first = await directory.operator.CreateOffice(request, timeout=DEADLINE_SECONDS)
    assert (await directory.operator.CreateOffice(request, timeout=DEADLINE_SECONDS)).office == first.office == office
    other = pb.CreateOfficeRequest(office=an_office(office.name, "{year}/13/{sequence}"))
    refused = await refusal(directory.operator.CreateOffice(other, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("ALREADY_EXISTS", "OFFICE_ALREADY_EXISTS")


@pytest.mark.parametrize(
    "pattern", ["{year}/12", "{sequence.__class__}", "{sequence", "{0}", "{sequence!r}", "{sequence:>9}"]
)
async def test_a_pattern_whose_numbers_could_not_be_told_apart_is_refused(directory: Directory, pattern: str) -> None:
    await directory.create("patterns")
    request = pb.CreateOfficeRequest(office=an_office("bodies/patterns/offices/odd", pattern))
    refused = await refusal(directory.operator.CreateOffice(request, timeout=DEADLINE_SECONDS))
    assert (refused.code, refused.reason) == ("INVALID_ARGUMENT", "NUMBER_PATTERN_INVALID")


async def test_offices_are_resolved_with_their_bodies_and_the_unknown_named(directory: Directory) -> None:
    body = await directory.create("resolve", offices=("one", "two"))
    names = [f"{body}/offices/two", "bodies/nobody/offices/x", f"{body}/offices/one", "no name"]
    found = await directory.intake.ResolveOffices(pb.ResolveOfficesRequest(names=names))
    assert [one.office.name for one in found.offices] == [f"{body}/offices/two", f"{body}/offices/one"]
    assert {one.body.name for one in found.offices} == {body}
    assert found.offices[0].body == a_body(body)
    assert list(found.unknown) == ["bodies/nobody/offices/x", "no name"]

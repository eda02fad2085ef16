"""The demo's table, as it is seen."""

import re

import pytest
from rich.cells import cell_len

from infra.demo.plan import PLAN
from infra.demo.show import Row, Stage
from infra.local.members import members


def test_the_table_has_a_line_for_each_letter_and_its_columns_stand_in_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two books of an office have the same number: the classification tells them apart."""
    letters = (*PLAN.registered, *PLAN.faulty)
    stage = Stage()
    stage.introduce({member.id: member for member in members()})
    stage.table([Row(one, "1405/1", "رسید داده شد، با استرداد موافقت نشد، خوانده شد", fine=True) for one in letters])
    _, heading, *rows = capsys.readouterr().out.strip().splitlines()
    assert len(rows) == len(letters)
    place = _shown(heading).index(_shown("طبقه‌بندی"))
    said = [re.split(" {2,}", _shown(row)[place:])[0] for row in rows]
    assert set(said) == {"عادی", "محرمانه", "خیلی محرمانه"}
    assert all(row.count("\u2068") == row.count("\u2069") - row.count("\u2066") == 9 for row in rows)


def _shown(line: str) -> str:
    """Without what takes no room: isolates, joiners and marks."""
    return "".join(character for character in line if cell_len(character))

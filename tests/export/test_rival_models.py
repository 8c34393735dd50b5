import json

import pytest

from export import rival_models
from export.rival_models import RIVAL_MEMORY, WITH_MEMORY, read_rival_tables
from jackcomp.errors import ModelError


def test_the_tables_have_a_share_for_each_count_and_a_memory_for_each_row():
    shares, memories = read_rival_tables()
    assert sum(shares) == pytest.approx(1, abs=0.01)
    assert set(memories) == set(WITH_MEMORY)


@pytest.mark.parametrize(
    ("table", "reason"),
    [("shares", "checksum differs"), (None, "No such file")],
)
def test_other_tables_than_the_cards_are_refused(tmp_path, monkeypatch, table, reason):
    path = tmp_path / RIVAL_MEMORY.name
    if table:
        content = json.loads(RIVAL_MEMORY.read_text(encoding="utf-8"))
        content["tables"][table][0] += 0.1
        path.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(rival_models, "RIVAL_MEMORY", path)
    with pytest.raises(ModelError, match=rf"{reason}.*fit_memory --rivals$"):
        read_rival_tables()

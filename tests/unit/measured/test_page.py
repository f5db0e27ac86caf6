"""``docs/validation.md`` says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.measured.page import main, renewed, sample_block

PAGE = Path(__file__).parents[3] / "docs" / "validation.md"


def test_the_page_shows_what_the_samples_give(tmp_path: Path) -> None:
    """If this fails: python -m simulator.measured.page docs/validation.md"""
    copy = tmp_path / "validation.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    main([str(copy)])
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


def test_every_table_is_there_and_says_on_how_many_rows() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("sample", "full", "known", "crossvalidation", "ablation", "outliers"):
        _, _, rest = page.partition(f"<!-- {name}: begin -->")
        block, _, _ = rest.partition(f"<!-- {name}: end -->")
        assert block.count("|") > 20, name
    assert "12,000" in page and "3,500" in page and "480" in page


def test_blocks_are_replaced_and_the_rest_stays() -> None:
    page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n"
    assert renewed(page, {"x": ["new", "lines"]}) == "a\n<!-- x: begin -->\nnew\nlines\n<!-- x: end -->\nb\n"
    with pytest.raises(ValueError, match="no block 'y'"):
        renewed(page, {"y": []})


def test_sample_block_has_a_table_per_set() -> None:
    lines = sample_block()
    assert sum(line.startswith("**") for line in lines) == 4
    assert sum(line.startswith("| all rows | ") for line in lines) == 4

"""What README.md shows is true: its examples run, its links lead somewhere."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/dropin/README.md"]
PAGES += sorted((ROOT / "docs/compat").glob("*.md"))


@pytest.mark.parametrize("page", ["README.md", "docs/models.md", "docs/training.md"])
def test_examples_run(page: str) -> None:
    examples = doctest.DocTestParser().get_doctest((ROOT / page).read_text(), {}, page, page, 0)
    assert len(examples.examples) > 20
    report: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=report.append)
    assert result.failed == 0, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", page.read_text())
    assert targets or page.parent.name == "compat"
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("name", ["demo", "test"])
def test_commands_are_marked_for_ci(name: str) -> None:
    marked = re.findall(
        rf"^<!-- command: {name} -->\n```sh\n(.+)\n```$", (ROOT / "README.md").read_text(), re.M
    )
    assert len(marked) == 1
    assert f".[{name}]" in marked[0]

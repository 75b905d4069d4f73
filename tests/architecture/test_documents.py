"""Every file and folder of the repository that a page names in backticks exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TOP = "bench|commands|db|docs|graph|investing|migrations|runtime|tests"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page: Path) -> None:
    named = re.findall(rf"`((?:{TOP})/[\w/*.-]*)`", page.read_text())
    missing = [path for path in named if not any(ROOT.glob(path.rstrip("/")))]
    assert missing == []

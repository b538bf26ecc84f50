"""`python -m tests.aio.libraries` writes docs/compatibility.md."""

from __future__ import annotations

from tests.aio.libraries.page import PAGE, page, versions

if __name__ == "__main__":
    PAGE.write_text(page(versions()), encoding="utf-8")

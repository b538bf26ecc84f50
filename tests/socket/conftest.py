"""The places of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.socket.places import Place, place


@pytest.fixture(params=["kernel", "host", "pair"])
def there(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each place in turn: what a test says of one holds for all."""
    with place(request.param) as made:
        yield made


@pytest.fixture(params=["host", "pair"])
def ours(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The places that are ours."""
    with place(request.param) as made:
        yield made

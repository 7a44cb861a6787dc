"""What tests of one stream's life have: settings with which little text makes everything happen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.workbench import settings_for
from worker.settings.config import Settings


@pytest.fixture
def small(request: pytest.FixtureRequest, weir_settings: Settings, tmp_path: Path) -> Settings:
    """A file says what is different in it: SETTINGS."""
    own = getattr(request.module, "SETTINGS", {})
    return settings_for(weir_settings.redis_url, tmp_path / "saved", **own)

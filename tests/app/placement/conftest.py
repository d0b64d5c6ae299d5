"""The page that tries places for a block, on a few small photos."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from job_pages import png
from trial_pages import small_recipe

from robustiqa_core.hardening import distillation_data
from robustiqa_core.images.samples import SOURCES
from ui.hardening import cache as hardening_cache
from ui.hardening import job as hardening_job
from ui.hardening import live
from ui.jobs import cache as jobs_cache
from ui.placement import controls
from ui.placement import live as placement_live
from ui.shell import cache


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight small photos that looks like the shipped samples."""
    root = tmp_path_factory.mktemp("assets") / "samples"
    root.mkdir()
    names = [f"{number}.png" for number in range(8)]
    for number, name in enumerate(names):
        (root / name).write_bytes(png((80, 72), 10 + 20 * number))
    columns = ["file", "title", "author", "source", "original_file", "licence", "licence_url", "changes", "sha256"]
    lines = [",".join(columns), *(",".join([name, *["made for tests"] * 8]) for name in names)]
    (root / SOURCES).write_text("\n".join(lines))
    return root


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, photos: Path) -> Iterator[None]:
    """Small crops of a few small photos, nothing kept from other tests, and no job left running."""
    monkeypatch.setattr(controls, "new_recipe", small_recipe)
    monkeypatch.setattr(live, "tuning_data", lambda recipe, labelled: distillation_data(recipe, root=photos))
    monkeypatch.setattr(hardening_job, "ATTACKED", 2)
    monkeypatch.setattr("robustiqa_core.hardening.trial._TURNS", 1)
    monkeypatch.setattr(placement_live, "prepared", lambda images, device: images[..., :64, :64])
    hardening_cache.trial_store.clear()
    cache.named_models.clear()
    jobs_cache.shelf.clear()
    hardening_cache.computed.clear()
    yield
    cache.jobs().close()
    cache.jobs.clear()

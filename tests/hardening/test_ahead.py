"""What is known before a hardening ends: what was prepared, and the finished network before it is attacked."""

import copy
from dataclasses import asdict, replace

import pytest
import torch
from workshop import CHECK, RECIPE, Workshop

from robustiqa_core.attacks.objective import score
from robustiqa_core.blocks import BlockSettings
from robustiqa_core.hardening import Finished, HardeningCache, Progressed, distillation_data, prepare
from robustiqa_core.hardening.data import key_of
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.metrics.correlation import agreement
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.training.baseline import round_to_half

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
NOTHING = PruningSettings(ratio=0.0)


@pytest.mark.parametrize("half", [False, True])
def test_what_is_finished_scores_photos_as_the_card_says(half: bool, workshop: Workshop) -> None:
    baseline = copy.deepcopy(workshop.baseline)
    if half:
        # As every shipped baseline is: rounding leaves its front as it is, whose maps serve again.
        round_to_half(baseline)
    cache = HardeningCache()
    place = Workshop(baseline, workshop.card, cache, workshop.root)
    records, result = place.run(replace(RECIPE, precision="bfloat16"))
    finished = next(record for record in records if isinstance(record, Finished))
    assert finished.network is result.network
    mapped = [record for record in records if isinstance(record, Progressed) and record.stage == "mapping"]
    assert len(mapped) == (3 + 1 if half else 3 + 1 + 1)
    data = distillation_data(RECIPE, root=workshop.root)
    known = cache.find(key_of(data.validation, data.validation_samples))
    assert known is not None
    # From photos, and by the network without the removed filters: not from maps.
    images = from_8bit(known.tensors["pixels"], CPU)
    scores, wanted = (score(network, images).double().numpy() for network in (result.network, baseline))
    found = asdict(agreement(scores, wanted))
    assert asdict(finished.agreement) == pytest.approx(found, rel=1e-3, abs=1e-6)
    assert result.card.hardening["agreement"] == {"crops": 8, **asdict(finished.agreement)}


def test_what_was_prepared_is_not_computed_again_wherever_the_block_goes(workshop: Workshop) -> None:
    recipe, cache = replace(RECIPE, precision="bfloat16"), HardeningCache()
    data = distillation_data(recipe, root=workshop.root)
    ahead = list(prepare(recipe, workshop.baseline, workshop.card, data, cache=cache, **CHECK))
    assert list(dict.fromkeys(record.stage for record in ahead)) == ["cropping", "scoring", "attacking"]
    other = replace(
        recipe, position="after_stage6", block=BlockSettings(orthogonalization="aoc", width=8, grid=2), pruning=NOTHING
    )
    for chosen in (recipe, other):
        records, result = workshop.run(chosen, cache=cache)
        done = [record.stage for record in records if isinstance(record, Progressed)]
        assert not {"cropping", "scoring"} & set(done)
        everything, alone = workshop.run(chosen, cache=HardeningCache())
        # The new network is attacked, the baseline was.
        attacks = [record for record in everything if isinstance(record, Progressed) and record.stage == "attacking"]
        assert 2 * done.count("attacking") == len(attacks)
        assert result.card.hardening == alone.card.hardening

"""From a recipe to a hardened network with its card."""

import copy
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from hardening_networks import lively
from torch import Tensor
from workshop import RECIPE, Workshop

from robustiqa_core.blocks import BlockSettings, block_at, blocks_of
from robustiqa_core.checkpoints.storage import load_network, save_checkpoint
from robustiqa_core.errors import ConfigurationError, InputError, NumericalError
from robustiqa_core.hardening import (
    Epoch,
    Finished,
    Hardened,
    HardeningCache,
    HardeningRecipe,
    HardeningRecord,
    Inserted,
    Progressed,
    Pruned,
    Trunk,
    distillation_data,
    find_cut,
    labelled_data,
    load_trunk,
    parse_objective,
)
from robustiqa_core.hardening.trial import calibrate, rescale_last_layer
from robustiqa_core.models import ARCHITECTURES
from robustiqa_core.models.card import ModelCard
from robustiqa_core.pruning import PruningSettings
from robustiqa_core.scorer import ScoreRange
from robustiqa_core.training.baseline import round_to_half
from robustiqa_core.training.datasets import LabelledPhoto
from robustiqa_core.training.state import read_progress

pytestmark = pytest.mark.thorough

CPU = torch.device("cpu")
NOTHING = PruningSettings(ratio=0.0)


def epochs_of(records: list[HardeningRecord]) -> list[Epoch]:
    return [record for record in records if isinstance(record, Epoch)]


def test_the_records_tell_what_happens_in_order(workshop: Workshop) -> None:
    before = copy.deepcopy(workshop.baseline.state_dict())
    records, result = workshop.run(cache=HardeningCache())
    kinds = [type(record) for record in records if not isinstance(record, Progressed)]
    assert kinds == [Inserted, Pruned, Epoch, Epoch, Epoch, Finished, Hardened]
    stages = list(dict.fromkeys(record.stage for record in records if isinstance(record, Progressed)))
    assert stages == ["cropping", "scoring", "mapping", "tuning", "attacking"]
    for stage in stages:
        last = [record for record in records if isinstance(record, Progressed) and record.stage == stage][-1]
        assert last.done == last.total
    assert [epoch.epoch for epoch in epochs_of(records)] == [0, 1, 2]
    assert all(torch.equal(value, before[name]) for name, value in workshop.baseline.state_dict().items())
    assert all(parameter.grad is None for parameter in workshop.baseline.parameters())
    assert blocks_of(workshop.baseline) == {}
    assert blocks_of(result.network) == {"after_stage5": RECIPE.block}
    assert not result.network.training
    weight = result.network.get_parameter("features.stage6.0.expand.conv.weight")
    assert len(weight) < len(workshop.baseline.get_parameter("features.stage6.0.expand.conv.weight"))


def test_the_same_recipe_gives_the_same_network(workshop: Workshop) -> None:
    _, one = workshop.run(cache=HardeningCache())
    _, other = workshop.run(cache=HardeningCache())
    state = other.network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in one.network.state_dict().items())
    assert one.card.hardening == other.card.hardening


def test_in_bfloat16_nearly_the_same_is_learnt(workshop: Workshop) -> None:
    in_full, _ = workshop.run(cache=HardeningCache())
    in_half, _ = workshop.run(replace(RECIPE, precision="bfloat16"), cache=HardeningCache())
    for one, other in zip(epochs_of(in_full), epochs_of(in_half), strict=True):
        assert one.loss == other.loss or other.loss == pytest.approx(one.loss, rel=0.2)
    # What judges is computed in full precision, and so is the same before anything was learnt.
    assert epochs_of(in_full)[0].agreement == epochs_of(in_half)[0].agreement
    # Other maps: the losses cannot be the same to the last bit.
    assert epochs_of(in_full)[1].loss != epochs_of(in_half)[1].loss


def test_a_recipe_that_was_seen_is_not_worked_on_again(workshop: Workshop) -> None:
    records, result = workshop.run(replace(RECIPE, seed=3))
    again, known = workshop.run(replace(RECIPE, seed=3))
    assert known is result
    assert again == [record for record in records if not isinstance(record, Progressed)]
    _, other = workshop.run(replace(RECIPE, seed=3), name="another")
    assert other.card.variant == "another"


def test_maps_of_an_earlier_recipe_are_found_in_the_folder(workshop: Workshop, tmp_path: Path) -> None:
    first, _ = workshop.run(cache=HardeningCache(tmp_path))
    second, _ = workshop.run(replace(RECIPE, rate=1e-5), cache=HardeningCache(tmp_path))

    def computed(records: list[HardeningRecord]) -> set[str]:
        return {record.stage for record in records if isinstance(record, Progressed)}

    assert computed(first) - computed(second) == {"cropping", "scoring", "mapping"}
    # With another pruning the front is another, and so are its maps.
    third, _ = workshop.run(replace(RECIPE, pruning=NOTHING), cache=HardeningCache(tmp_path))
    assert "mapping" in computed(third)
    # A block that starts as the identity, and no pruning: the baseline's own scores.
    assert epochs_of(third)[0].agreement.srocc == pytest.approx(1, abs=1e-6)
    assert epochs_of(first)[0].agreement.srocc < 1


def test_a_recipe_that_does_nothing_changes_no_score(workshop: Workshop, images: Tensor) -> None:
    recipe = replace(RECIPE, epochs=0, pruning=NOTHING, block=BlockSettings(orthogonalization="identity", width=8))
    records, result = workshop.run(recipe)
    with torch.no_grad():
        # But for the rounding of the weights to half precision.
        assert torch.allclose(result.network(images), workshop.baseline(images), rtol=2e-2, atol=1e-3)
    assert len(epochs_of(records)) == 1
    assert result.card.hardening["spread"] == pytest.approx(1, abs=0.02)


def test_fine_tuning_brings_a_pruned_network_nearer_to_the_baseline(workshop: Workshop) -> None:
    records, _ = workshop.run(replace(RECIPE, pruning=PruningSettings(ratio=0.3), epochs=6, rate=1e-3))
    epochs = epochs_of(records)
    assert epochs[-1].loss is not None
    assert epochs[1].loss is not None
    assert epochs[-1].loss < 0.5 * epochs[1].loss
    losses = [record.loss for record in records if isinstance(record, Progressed) and record.stage == "tuning"]
    assert len(losses) == 6 * 3
    assert epochs[1].loss == pytest.approx(sum(losses[:3]) / 3)


@pytest.mark.parametrize("objective", ["clean", "at:steps=1+nt"])
def test_what_the_block_does_not_reach_stays_as_it_is(objective: str, workshop: Workshop) -> None:
    recipe = replace(RECIPE, pruning=NOTHING, objective=parse_objective(objective), epochs=1, rate=1e-3)
    _, result = workshop.run(recipe)
    cut = find_cut(result.network, "after_stage5")
    before = {name: value.half() for name, value in workshop.baseline.state_dict().items() if value.ndim}
    changed = {
        name
        for name, value in result.network.state_dict().items()
        if name in before and not torch.equal(value.half(), before[name])
    }
    assert not any(cut.is_front(name) for name in changed)
    assert any(name.startswith("features.stage7") for name in changed)
    # Statistics are measured on what a front has seen: they stay, too.
    assert not any("running" in name for name in changed)


def test_all_layers_learn_where_all_are_tuned_with_statistics_only_if_asked(workshop: Workshop) -> None:
    recipe = replace(RECIPE, position=None, block=None, tuned="all", pruning=NOTHING, epochs=1)
    records, kept = workshop.run(recipe)
    assert isinstance(records[0], Inserted)
    assert (records[0].position, records[0].parameters) == (None, 0)
    before = {name: value.half() for name, value in workshop.baseline.state_dict().items() if value.ndim}

    def changed(result: Hardened) -> set[str]:
        state = result.network.state_dict()
        return {name for name, value in before.items() if not torch.equal(state[name].half(), value)}

    assert "features.stem.conv.weight" in changed(kept)
    assert not any("running" in name for name in changed(kept))
    _, learnt = workshop.run(replace(recipe, learn_statistics=True))
    assert any("running" in name for name in changed(learnt))


def test_tuning_on_photos_goes_on_after_an_interruption(workshop: Workshop, tmp_path: Path) -> None:
    recipe = replace(RECIPE, objective=parse_objective("at:steps=1"), pruning=NOTHING, epochs=2)
    _, whole = workshop.run(recipe, run_dir=tmp_path / "whole", cache=HardeningCache())
    broken = workshop.start(recipe, run_dir=tmp_path / "broken", cache=HardeningCache())
    for record in broken:
        if isinstance(record, Epoch) and record.epoch == 1:
            break
    # The state of an epoch is saved before the next step.
    next(broken)
    broken.close()  # type: ignore[attr-defined]
    records, resumed = workshop.run(recipe, run_dir=tmp_path / "broken", cache=HardeningCache())
    steps = [record.done for record in records if isinstance(record, Progressed) and record.stage == "tuning"]
    assert steps[0] == 4
    state = whole.network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.network.state_dict().items())
    assert whole.card.hardening == resumed.card.hardening


def test_weights_are_mixed_with_those_of_the_start_and_a_block_keeps_its_own(workshop: Workshop) -> None:
    def tuned(mix: float) -> dict[str, Tensor]:
        _, result = workshop.run(replace(RECIPE, epochs=1, mix=mix, pruning=NOTHING))
        return result.network.state_dict()

    whole, half, start = tuned(1.0), tuned(0.5), workshop.baseline.state_dict()
    learnt = [name for name in start if name in whole and not torch.equal(whole[name], start[name].half().float())]
    for name in (name for name in learnt if name not in ("k", "b")):
        # Both are rounded to half precision.
        expected = (start[name] + whole[name]) / 2
        assert torch.allclose(half[name], expected, rtol=2e-3, atol=1e-4), name
    assert any(name.startswith("regression") for name in learnt)
    block = [name for name in whole if name not in start]
    assert block
    assert all(torch.equal(whole[name], half[name]) for name in block)


def test_labels_are_learnt_where_there_are_any(workshop: Workshop, labelled: tuple[LabelledPhoto, ...]) -> None:
    recipe = replace(RECIPE, data="csv", crops=None, batch_size=4, validation_crops=4, rate=1e-3, epochs=4)
    data = labelled_data(recipe, labelled, title="Textures")
    records, result = workshop.run(recipe, data=data)
    epochs = epochs_of(records)
    for epoch in epochs:
        assert epoch.mos is not None
        assert epoch.figure == pytest.approx(epoch.mos.srocc, abs=1e-6)
    assert epochs[1].loss is not None
    assert epochs[-1].loss is not None
    assert epochs[-1].loss < epochs[1].loss
    assert result.card.training.dataset == "Textures, training split"
    assert result.card.hardening["mos"]["crops"] == 4
    attacked = replace(recipe, objective=parse_objective("at:steps=1"), epochs=1)
    records, _ = workshop.run(attacked, data=data)
    assert epochs_of(records)[-1].mos is not None


@pytest.mark.parametrize("criterion", ["pls_vip", "random"])
def test_criteria_that_look_at_crops_get_them(criterion: str, workshop: Workshop) -> None:
    records, _ = workshop.run(replace(RECIPE, pruning=PruningSettings(criterion, 0.1), epochs=0))
    pruned = records[1] if isinstance(records[1], Pruned) else next(r for r in records if isinstance(r, Pruned))
    assert pruned.plan.removed > 0
    assert pruned.plan.settings.criterion == criterion


def test_the_card_has_recipe_and_figures_and_the_checkpoint_gives_the_same_scores(
    workshop: Workshop, images: Tensor, tmp_path: Path
) -> None:
    _, result = workshop.run(name="hardened-plus", command="robustiqa harden ...")
    written = save_checkpoint(result.network, result.card, root=tmp_path)
    figures = written.hardening
    assert HardeningRecipe.from_json(figures["recipe"], place="the card") == RECIPE
    assert (figures["key"], figures["start_sha256"]) == (RECIPE.key(), "0" * 64)
    assert written.training.start == f"linearity-baseline, sha256 {'0' * 64}"
    assert -1 <= figures["agreement"]["srocc"] <= 1
    assert figures["agreement"]["crops"] == 8
    assert figures["attacked"]["attack"].startswith("pgd:eps=4/255")
    for name in ("baseline", "hardened"):
        assert figures["attacked"][name]["images"] == 3
        assert figures["attacked"][name]["scale"]["convention"] == "baseline"
        assert figures["attacked"][name]["absolute_gain"] > 0
    assert figures["filters"]["removed"] > 0
    assert figures["cost"]["after"]["multiply_adds"] < figures["cost"]["before"]["multiply_adds"]
    loaded = load_network("linearity", "hardened-plus", device=CPU, root=tmp_path)
    with torch.no_grad():
        assert torch.allclose(loaded(images), result.network(images), rtol=1e-5)
    assert loaded.score_range == workshop.baseline.score_range


def test_narrowed_scores_get_the_baselines_spread_back(workshop: Workshop) -> None:
    halves = BlockSettings(orthogonalization="contraction", width=320, grid=None, factor=0.5)
    recipe = replace(RECIPE, position="after_stage7", block=halves, pruning=NOTHING, epochs=0)
    _, result = workshop.run(recipe)
    spread = result.card.hardening["spread"]
    assert spread != pytest.approx(1, abs=0.01)
    assert result.network.k == pytest.approx(workshop.baseline.k.item() / spread, rel=1e-3)
    agreement = result.card.hardening["agreement"]
    assert agreement["rmse"] < 0.5 * workshop.baseline.score_range.width


def test_calibration_is_exact_and_refuses_constant_scores() -> None:
    network = lively("linearity").requires_grad_(False)
    scores, wanted = torch.rand(16), 3 + 2 * torch.rand(16)
    k, b = network.k.clone(), network.b.clone()
    found = calibrate(network, scores, wanted)
    assert found.mean() == pytest.approx(wanted.mean().item(), abs=1e-5)
    assert found.std() == pytest.approx(wanted.std().item(), abs=1e-5)
    assert torch.allclose((scores - b) / k * network.k + network.b, found, atol=1e-5)
    with pytest.raises(NumericalError, match="choose a later position"):
        calibrate(network, torch.ones(16), wanted)


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_the_last_layer_can_be_rescaled_instead(model: str, images: Tensor) -> None:
    network = lively(model)
    before = network(images)
    k, b = network.k.clone(), network.b.clone()
    wanted = torch.tensor([3.0, -1.0])
    rescale_last_layer(network, before, wanted if before[0] > before[1] else wanted.flip(0))
    after = network(images)
    assert torch.allclose(after.sort().values, wanted.sort().values, atol=1e-3)
    assert torch.equal(network.k, k)
    assert torch.equal(network.b, b)


def test_what_does_not_belong_together_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="load those that the recipe names"):
        workshop.start(replace(RECIPE, start="hardened"))
    data = distillation_data(RECIPE, root=workshop.root)
    with pytest.raises(ConfigurationError, match="load those that the recipe names"):
        workshop.start(replace(RECIPE, data="csv"), data=data)
    with pytest.raises(ConfigurationError, match="attacked_crops"):
        workshop.start(attacked_crops=9)
    with pytest.raises(ConfigurationError, match="at most the 112 channels"):
        workshop.run(replace(RECIPE, block=BlockSettings(width=200)))
    with pytest.raises(InputError, match="assets/samples"):
        distillation_data(RECIPE, root=tmp_path)


def test_another_mix_is_made_of_the_tuning_that_is_there(workshop: Workshop, tmp_path: Path) -> None:
    recipe = replace(RECIPE, tuned="all", position=None, block=None, pruning=NOTHING, epochs=1)
    _, tuned = workshop.run(recipe, run_dir=tmp_path, cache=HardeningCache())
    (state,) = tmp_path.rglob("state.safetensors")
    written = state.stat().st_mtime_ns
    records, mixed = workshop.run(replace(recipe, mix=0.25), run_dir=tmp_path, cache=HardeningCache())
    assert [path.stat().st_mtime_ns for path in tmp_path.rglob("state.safetensors")] == [written]
    assert not [record for record in records if isinstance(record, Progressed) and record.stage == "tuning"]
    name = "features.stage7.0.project.conv.weight"
    start, end, middle = (network.get_parameter(name) for network in (workshop.baseline, tuned.network, mixed.network))
    # The time of the tuning counts, though it was not done again.
    assert mixed.card.training.seconds >= round(read_progress(state.parent).seconds, 1) > 0
    assert not torch.equal(start, end)
    assert torch.allclose(middle, torch.lerp(start, end, 0.25), atol=2e-3 * start.abs().max().item())


def test_the_trunk_of_another_model_takes_the_place_of_the_own_one(
    workshop: Workshop, card: ModelCard, tmp_path: Path
) -> None:
    save_checkpoint(lively("tres"), replace(card, model="tres"), root=tmp_path)
    trunk = load_trunk("tres-baseline", root=tmp_path)
    recipe = replace(RECIPE, trunk="tres-baseline", tuned="all", position=None, block=None, pruning=NOTHING, epochs=0)
    _, result = workshop.run(recipe, trunk=trunk)
    state, own = result.network.state_dict(), workshop.baseline.state_dict()
    rounded = {f"features.{name}": value.half().float() for name, value in trunk.weights.items()}
    assert all(torch.equal(state[name], value) for name, value in rounded.items())
    assert not torch.equal(state["features.stem.conv.weight"], own["features.stem.conv.weight"])
    assert torch.equal(state["dr7.0.weight"], own["dr7.0.weight"].half().float())
    assert result.card.hardening["spread"] == pytest.approx(1, abs=0.01)
    assert result.card.training.start.endswith(f"; trunk of tres-baseline, sha256 {trunk.card.sha256}")
    assert result.card.hardening["trunk_sha256"] == trunk.card.sha256
    assert HardeningRecipe.from_json(result.card.hardening["recipe"], place="the card") == recipe
    assert recipe.key() != replace(recipe, trunk=None).key()


def test_a_trunk_that_does_not_fit_is_refused(workshop: Workshop, card: ModelCard, tmp_path: Path) -> None:
    recipe = replace(RECIPE, trunk="tres-baseline")
    with pytest.raises(ConfigurationError, match="the trunk that the recipe names"):
        workshop.start(recipe)
    with pytest.raises(ConfigurationError, match="name one of these"):
        load_trunk("tres-baseline", root=tmp_path)
    small = replace(card, model="tres", settings={"backbone": "resnet18", "short_side": 96})
    save_checkpoint(lively("tres", "resnet18"), small, root=tmp_path)
    with pytest.raises(ConfigurationError, match="trunk resnet18; name another model"):
        workshop.run(recipe, trunk=load_trunk("tres-baseline", root=tmp_path))
    with pytest.raises(ConfigurationError, match="no blocks and no pruning"):
        Trunk(replace(card, pruning={"features.stage2.0.expand.conv": 88}), "efficientnet_lite0", {})


def test_a_tuning_that_diverges_says_so(workshop: Workshop) -> None:
    with pytest.raises(NumericalError, match=r"lower the (learning )?rates|choose a later position"):
        workshop.run(replace(RECIPE, rate=1e30, block_rate=1e30))


def test_closing_the_iterator_ends_the_work(workshop: Workshop) -> None:
    records = workshop.start(replace(RECIPE, seed=9))
    seen = [next(records) for _ in range(3)]
    records.close()  # type: ignore[attr-defined]
    assert list(records) == []
    assert isinstance(seen[0], Inserted)


def test_the_block_learns(workshop: Workshop) -> None:
    _, result = workshop.run(replace(RECIPE, pruning=PruningSettings(ratio=0.3)))
    block = block_at(result.network, "after_stage5")
    x = torch.randn(1, 112, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        y = block(x)
    assert not torch.allclose(y, x, rtol=1e-3, atol=1e-3)
    assert y.norm() == pytest.approx(x.norm().item(), rel=1e-4)


def test_the_range_of_the_card_is_the_baselines(workshop: Workshop) -> None:
    _, result = workshop.run()
    assert isinstance(result.card.score_range, ScoreRange)
    assert result.card.score_range == result.network.score_range == workshop.baseline.score_range


def test_the_card_says_what_only_a_comparison_with_the_baseline_tells(
    workshop: Workshop, labelled: tuple[LabelledPhoto, ...]
) -> None:
    _, result = workshop.run()
    figures = result.card.hardening
    block = block_at(result.network, "after_stage5")
    assert figures["block"]["parameters"] == sum(parameter.numel() for parameter in block.parameters())
    assert 0 <= figures["block"]["orthogonality_error"] < 1e-4
    assert figures["mos_before"] is None
    attacks = figures["attacked"]
    assert attacks["transferred"].keys() == attacks["hardened"].keys()
    assert attacks["transferred"] != attacks["hardened"]
    assert result.card.training.settings["score_seconds"] == asdict(result.timing)
    assert min(result.timing.baseline, result.timing.hardened) > 0
    # A network that is its own baseline is moved by what was made for the baseline as that is.
    same = replace(RECIPE, position=None, block=None, tuned="all", epochs=0, pruning=NOTHING, mix=0.5)
    baseline = copy.deepcopy(workshop.baseline)
    round_to_half(baseline)
    _, twin = Workshop(baseline, workshop.card, HardeningCache(), workshop.root).run(same)
    found = twin.card.hardening
    assert found["block"] is None
    assert found["attacked"]["transferred"]["absolute_gain"] == pytest.approx(
        found["attacked"]["baseline"]["absolute_gain"], rel=1e-3
    )
    recipe = replace(RECIPE, data="csv", crops=None, batch_size=4)
    _, taught = workshop.run(recipe, data=labelled_data(recipe, labelled, title="Tiny"))
    assert taught.card.hardening["mos_before"].keys() == taught.card.hardening["mos"].keys()

"""What is kept is found again, and never for something else."""

from pathlib import Path

import torch
from hardening_networks import Linear, lively

from robustiqa_core.blocks import BlockSettings, insert
from robustiqa_core.hardening import HardeningCache
from robustiqa_core.hardening.cache import Recent, Stored, fingerprint, numbers_of
from robustiqa_core.pruning import PruningSettings, masked, plan


def test_the_least_recently_used_goes_first_and_the_newest_stays() -> None:
    recent: Recent[str] = Recent(10)
    for key, size in (("a", 4), ("b", 4)):
        recent.put(key, key.upper(), size)
    assert recent.get("a") == "A"
    recent.put("c", "C", 4)
    assert [recent.get(key) for key in "abc"] == ["A", None, "C"]
    recent.put("d", "D", 100)
    assert [recent.get(key) for key in "acd"] == [None, None, "D"]


def test_tensors_and_facts_outlive_the_process_in_a_folder(tmp_path: Path) -> None:
    stored = Stored({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2, dtype=torch.uint8)}, {"size": [3, 4]})
    HardeningCache(tmp_path).keep("key", stored)
    found = HardeningCache(tmp_path).find("key")
    assert found is not None
    assert found.facts == {"size": [3, 4]}
    assert all(torch.equal(found.tensors[name], value) for name, value in stored.tensors.items())
    assert HardeningCache(tmp_path).find("other") is None
    assert HardeningCache().find("key") is None
    assert stored.bytes == 26


def test_a_fingerprint_tells_names_values_kinds_and_facts_apart() -> None:
    network = Linear()
    prints = {fingerprint(numbers_of(network)), fingerprint(numbers_of(network), "fact")}
    assert fingerprint(numbers_of(network)) in prints
    with torch.no_grad():
        network.weight[0, 0, 0] += 1e-6
    prints.add(fingerprint(numbers_of(network)))
    network.norm.register_buffer("removed", torch.tensor(True), persistent=False)
    prints.add(fingerprint(numbers_of(network)))
    prints.add(fingerprint([("a", torch.zeros(2))]))
    prints.add(fingerprint([("a", torch.zeros(2, dtype=torch.int32))]))
    prints.add(fingerprint([("a", torch.zeros(1, 2))]))
    prints.add(fingerprint([("b", torch.zeros(2))]))
    assert len(prints) == 8


def test_a_masked_network_is_another_one_though_its_state_is_the_same() -> None:
    network = insert(lively("linearity"), "after_stage5", BlockSettings(width=8, grid=3))
    pruned = masked(network, plan(network, PruningSettings(ratio=0.2)))
    assert fingerprint(network.state_dict().items()) == fingerprint(pruned.state_dict().items())
    assert fingerprint(numbers_of(network)) != fingerprint(numbers_of(pruned))

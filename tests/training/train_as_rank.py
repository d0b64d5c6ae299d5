"""One process of several: `torchrun ... train_as_rank.py FOLDER` trains small networks and writes what came out.

The test runs the same functions in a process alone.
"""

import sys
from pathlib import Path

import torch
from tiny_task import linearity_like, mean_squared, tiny_network, tiny_task
from torch import Tensor, nn

from robustiqa_core.files import write_tensors
from robustiqa_core.training import ranks
from robustiqa_core.training.state import LoopSettings
from robustiqa_core.training.steps import take_steps

SETTINGS = LoopSettings(epochs=2, batch_size=8)
LOSSES = {"mean": mean_squared, "norm_in_norm": linearity_like}


def trained(network: nn.Module, loss: str, run_dir: Path, *, kill_after: int = 0) -> dict[str, Tensor]:
    """Return a network's state after training, and its losses and figures; nothing if it was killed."""
    records = []
    task = tiny_task(network, LOSSES[loss])
    for record in take_steps(task, SETTINGS, run_dir=run_dir, workers=0, save_seconds=0):
        records.append(record)
        if record.step == kill_after:
            return {}
    figures = [record.figure for record in records if record.figure is not None]
    return {
        **{name: value.clone() for name, value in network.state_dict().items()},
        "losses": torch.tensor([record.loss for record in records]),
        "figures": torch.tensor(figures),
    }


def photos() -> Tensor:
    return torch.rand(8, 4, 5, 5, generator=torch.Generator().manual_seed(0))


def statistics() -> dict[str, Tensor]:
    """Return the running statistics of a normalisation that has seen this rank's part of a batch."""
    norm = nn.BatchNorm2d(4)
    norm(torch.stack(ranks.part(list(photos()))))
    ranks.average_statistics(norm)
    return {"mean": norm.get_buffer("running_mean"), "variance": norm.get_buffer("running_var")}


def gradients() -> dict[str, Tensor]:
    """Return the gradients of a batch's two losses; training hides their scale, which Adam does not heed."""
    found = {}
    for name, loss in LOSSES.items():
        layer = nn.Linear(100, 1)
        nn.init.constant_(layer.weight, 0.1)
        x = torch.stack(ranks.part(list(photos()))).flatten(1)
        loss(ranks.gather(layer(x)), ranks.gather(x[:, 0])).backward()
        ranks.sum_gradients(layer)
        found[name] = layer.weight.grad
    return found


def outcomes(folder: Path) -> dict[str, Tensor]:
    """Return the outcome of every case by `case/name`."""
    cases = {
        "mean": trained(tiny_network(normalised=False), "mean", folder / "mean"),
        "norm_in_norm": trained(tiny_network(normalised=False), "norm_in_norm", folder / "norm_in_norm"),
        "normalised": trained(tiny_network(normalised=True, dropout=0.5), "mean", folder / "normalised"),
        "statistics": statistics(),
        "gradients": gradients(),
    }
    trained(tiny_network(normalised=True, dropout=0.5), "mean", folder / "killed", kill_after=3)
    cases["resumed"] = trained(tiny_network(normalised=True, dropout=0.5), "mean", folder / "killed")
    return {f"{case}/{name}": value for case, values in cases.items() for name, value in values.items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with ranks.joined():
        write_tensors(folder / f"rank{ranks.rank()}.safetensors", outcomes(folder))

"""What a network's last linear layer gets of photos, computed once and kept on disk."""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from robustiqa_core.device import Precision, autocast
from robustiqa_core.files import read_tensors, write_tensors
from robustiqa_core.images.photo import from_8bit
from robustiqa_core.models import QualityModel
from robustiqa_core.models.dbcnn import DBCNN
from robustiqa_core.models.linearity import Linearity


def last_layer(network: QualityModel) -> nn.Linear:
    """Return the layer (K -> 1) whose output, times k plus b, is the score."""
    return network.regression if isinstance(network, Linearity) else network.fc


def last_inputs(network: QualityModel, images: Tensor) -> Tensor:
    """Return what that layer gets (N, K) of images (N, 3, H, W), RGB in [0, 1]."""
    if isinstance(network, Linearity):
        return torch.cat(network.reduced(images), dim=1)
    return network.products(images) if isinstance(network, DBCNN) else network.outputs(images).pooled


def kept_inputs(
    network: QualityModel,
    items: Dataset[tuple[Tensor, float]],
    names: Sequence[str],
    *,
    run_dir: Path,
    precision: Precision,
) -> tuple[Tensor, float]:
    """Return what the last layer gets of pictures, and the seconds that took, once and for all.

    Args:
        network: in any mode, which is as before afterwards; its last layer does not matter.
        items: each gives one or more pictures of one size, 8-bit (3, H, W) or (n, 3, H, W).
        names: one for each item, which tells its pictures from all others.
        run_dir: folder in which the inputs are kept.
        precision: of the branches.

    Returns:
        Half precision (N, K), or (N, n, K) of items with n pictures; and seconds.
    """
    device = network.k.device
    told = "\n".join(names)
    key = hashlib.sha256(f"{precision}\n{_fingerprint(network)}\n{told}".encode()).hexdigest()[:16]
    path = run_dir / f"products-{key}.safetensors"
    if path.is_file():
        tensors, metadata = read_tensors(path)
        return tensors["products"], float(metadata["seconds"])
    start = time.monotonic()
    was_training = network.training
    network.eval()
    rows = []
    with torch.inference_mode(), autocast(device, precision):
        for pixels, _ in DataLoader(items, batch_size=None, num_workers=1):
            # One after the other: more at once do not go faster on a CPU, and take more memory.
            singles = pixels.view(-1, 1, *pixels.shape[-3:])
            rows += [last_inputs(network, from_8bit(single, device)).half().cpu() for single in singles]
    network.train(was_training)
    inputs, seconds = torch.cat(rows).view(len(names), *pixels.shape[:-3], -1), time.monotonic() - start
    write_tensors(path, {"products": inputs}, {"seconds": repr(seconds)})
    return inputs, seconds


def _fingerprint(network: QualityModel) -> str:
    """Return a digest of all that the inputs depend on: the settings and the weights but for the last layer."""
    last = last_layer(network)
    own = next(name for name, module in network.named_modules() if module is last)
    digest = hashlib.sha256(repr(network.settings).encode())
    for name, value in network.state_dict().items():
        if not name.startswith(f"{own}.") and value.ndim > 0:
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()

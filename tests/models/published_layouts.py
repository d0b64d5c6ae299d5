"""The published networks of the three papers, computed plainly from a state dict; independent of the package.

Names and shapes are facts about the public checkpoints of LinearityIQA, DBCNN-PyTorch and TReS. Nothing here uses
`torch.nn` modules or code of the package: `Shapes` says what a checkpoint holds, and a plain function per network
computes its formula.
"""

import itertools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]

BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
VGG16_CONVOLUTIONS = {
    0: 64,
    2: 64,
    5: 128,
    7: 128,
    10: 256,
    12: 256,
    14: 256,
    17: 512,
    19: 512,
    21: 512,
    24: 512,
    26: 512,
    28: 512,
}
VGG16_POOLINGS = (4, 9, 16, 23)
SCNN_CONVOLUTIONS = ((48, 1), (48, 2), (64, 1), (64, 2), (64, 1), (64, 2), (128, 1), (128, 1), (128, 2))


def random_state(shapes: Shapes, seed: int = 0) -> State:
    """Return random tensors under which signals keep their scale from layer to layer."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        elif len(shape) > 1:
            state[name] = torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
        elif name.endswith("weight"):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            state[name] = 0.1 * torch.randn(shape, generator=generator)
    return state


def _norm_shapes(name: str, channels: int, *, counted: bool = True) -> Shapes:
    leaves = ("weight", "bias", "running_mean", "running_var")
    counter: Shapes = {f"{name}.num_batches_tracked": ()} if counted else {}
    return {f"{name}.{leaf}": (channels,) for leaf in leaves} | counter


def _linear_shapes(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    mean, variance, weight, bias = (
        state[f"{name}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, variance, weight, bias)


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def imagenet(images: Tensor) -> Tensor:
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean[:, None, None]) / deviation[:, None, None]


def resnet_shapes(name: str, *, stem: tuple[str, str], layers: tuple[str, str, str, str]) -> Shapes:
    """Return what a ResNet holds, given the names of its first convolution and norm and of its four layers."""
    expansion = 4 if name in ("resnet50", "resnet101") else 1
    shapes: Shapes = {f"{stem[0]}.weight": (64, 3, 7, 7), **_norm_shapes(stem[1], 64)}
    inputs = 64
    for layer, blocks, width in zip(layers, BLOCKS[name], (64, 128, 256, 512), strict=True):
        outputs = width * expansion
        for block in range(blocks):
            prefix = f"{layer}.{block}"
            if expansion == 1:
                kernels = ((width, inputs, 3), (width, width, 3))
            else:
                kernels = ((width, inputs, 1), (width, width, 3), (outputs, width, 1))
            for number, (rows, columns, side) in enumerate(kernels, start=1):
                shapes[f"{prefix}.conv{number}.weight"] = (rows, columns, side, side)
                shapes |= _norm_shapes(f"{prefix}.bn{number}", rows)
            if block == 0 and (layer != layers[0] or inputs != outputs):
                shapes[f"{prefix}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= _norm_shapes(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    return shapes


def resnet(state: State, x: Tensor, *, stem: tuple[str, str], layers: tuple[str, str, str, str]) -> list[Tensor]:
    """Return the outputs of the four layers."""
    x = F.relu(batch_norm(state, stem[1], F.conv2d(x, state[f"{stem[0]}.weight"], stride=2, padding=3)))
    x = F.max_pool2d(x, 3, 2, 1)
    outputs = []
    for layer in layers:
        block = 0
        while f"{layer}.{block}.conv1.weight" in state:
            prefix = f"{layer}.{block}"
            stride = 2 if block == 0 and layer != layers[0] else 1
            bottleneck = f"{prefix}.conv3.weight" in state
            # The stride is that of the 3 x 3 convolution: the second of a bottleneck, else the first.
            strides = (1, stride, 1) if bottleneck else (stride, 1)
            y = x
            for number, step in enumerate(strides, start=1):
                kernel = state[f"{prefix}.conv{number}.weight"]
                y = F.conv2d(y, kernel, stride=step, padding=kernel.shape[-1] // 2)
                y = batch_norm(state, f"{prefix}.bn{number}", y)
                y = F.relu(y) if number < len(strides) else y
            if f"{prefix}.downsample.0.weight" in state:
                x = F.conv2d(x, state[f"{prefix}.downsample.0.weight"], stride=stride)
                x = batch_norm(state, f"{prefix}.downsample.1", x)
            x = F.relu(x + y)
            block += 1
        outputs.append(x)
    return outputs


LINEARITY_NAMES = {"stem": ("features.0", "features.1"), "layers": tuple(f"features.{n}" for n in (4, 5, 6, 7))}


def linearity_shapes(trunk: str) -> Shapes:
    shapes = resnet_shapes(trunk, **LINEARITY_NAMES)
    for name, inputs in (("dr6", shapes["features.6.0.bn1.weight"][0]), ("dr7", shapes["features.7.0.bn1.weight"][0])):
        widths = (inputs * (4 if trunk in ("resnet50", "resnet101") else 1), 1024, 256, 64)
        for index, (i, o) in enumerate(itertools.pairwise(widths)):
            shapes |= _linear_shapes(f"{name}.{2 * index}", i, o) | _norm_shapes(f"{name}.{2 * index + 1}", o)
    return (
        shapes | _linear_shapes("regr6", 64, 1) | _linear_shapes("regr7", 64, 1) | _linear_shapes("regression", 128, 1)
    )


def linearity(state: State, images: Tensor) -> Tensor:
    """Return the three raw outputs (N, 3): whole, tap 6, tap 7."""
    *_, layer3, layer4 = resnet(state, imagenet(images), **LINEARITY_NAMES)
    reduced = []
    for name, layer in (("dr6", layer3), ("dr7", layer4)):
        x = layer.mean((2, 3))
        for index in (0, 2, 4):
            x = batch_norm(state, f"{name}.{index + 1}", linear(state, f"{name}.{index}", x))
        reduced.append(F.relu(x))
    whole = linear(state, "regression", torch.cat(reduced, dim=1))
    return torch.cat((whole, linear(state, "regr6", reduced[0]), linear(state, "regr7", reduced[1])), dim=1)


def scnn_shapes(prefix: str, *, counted: bool = True) -> Shapes:
    shapes: Shapes = {}
    inputs = 3
    for number, (channels, _) in enumerate(SCNN_CONVOLUTIONS):
        shapes |= {
            f"{prefix}.{3 * number}.weight": (channels, inputs, 3, 3),
            f"{prefix}.{3 * number}.bias": (channels,),
        }
        shapes |= _norm_shapes(f"{prefix}.{3 * number + 1}", channels, counted=counted)
        inputs = channels
    return shapes


def scnn_features(state: State, prefix: str, x: Tensor) -> Tensor:
    for number, (_, stride) in enumerate(SCNN_CONVOLUTIONS):
        name = f"{prefix}.{3 * number}"
        x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, 1)
        x = F.relu(batch_norm(state, f"{prefix}.{3 * number + 1}", x))
    return x


def scnn(state: State, x: Tensor) -> Tensor:
    """Return the logits (N, 39) of normalised crops of 224 px; names as in the published file."""
    x = F.avg_pool2d(scnn_features(state, "module.features", x), 14, 1)
    for index in (0, 3):
        name = f"module.projection.{index}"
        x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])
        x = F.relu(batch_norm(state, f"module.projection.{index + 1}", x))
    return linear(state, "module.classifier", x.flatten(1))


def dbcnn_shapes(*, counted: bool = True) -> Shapes:
    shapes: Shapes = {}
    inputs = 3
    for index, channels in VGG16_CONVOLUTIONS.items():
        shapes |= {
            f"module.features1.{index}.weight": (channels, inputs, 3, 3),
            f"module.features1.{index}.bias": (channels,),
        }
        inputs = channels
    shapes |= scnn_shapes("module.features2", counted=counted)
    return shapes | _linear_shapes("module.fc", 65536, 1)


def dbcnn(state: State, images: Tensor) -> Tensor:
    """Return the raw scores (N, 1)."""
    normalised = imagenet(images)
    x = normalised
    for index in range(30):
        if index in VGG16_CONVOLUTIONS:
            name = f"module.features1.{index}"
            x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1))
        elif index in VGG16_POOLINGS:
            x = F.max_pool2d(x, 2)
    y = scnn_features(state, "module.features2", normalised)
    if x.shape[2:] != y.shape[2:]:
        y = F.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)
    products = torch.einsum("nchw,ndhw->ncd", x, y) / (x.shape[2] * x.shape[3])
    roots = (products.flatten(1) + 1e-8).sqrt()
    return linear(state, "module.fc", roots / roots.norm(dim=1, keepdim=True))


TRES_NAMES = {"stem": ("model.conv1", "model.bn1"), "layers": tuple(f"model.layer{n}" for n in (1, 2, 3, 4))}
HANNING = torch.tensor(np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]) / 4, dtype=torch.float32)


def tres_widths(trunk: str) -> tuple[int, ...]:
    return tuple(width * (4 if trunk == "resnet50" else 1) for width in (64, 128, 256, 512))


def tres_shapes(trunk: str) -> Shapes:
    """Return what a checkpoint holds besides the constant pooling windows."""
    widths = tres_widths(trunk)
    total, deepest = sum(widths), widths[-1]
    shapes = resnet_shapes(trunk, **TRES_NAMES) | _linear_shapes("model.fc", deepest, 1000)
    for layer in (0, 1):
        prefix = f"transformer.encoder.layers.{layer}"
        shapes |= {
            f"{prefix}.self_attn.in_proj_weight": (3 * total, total),
            f"{prefix}.self_attn.in_proj_bias": (3 * total,),
        }
        shapes |= _linear_shapes(f"{prefix}.self_attn.out_proj", total, total)
        shapes |= _linear_shapes(f"{prefix}.linear1", total, 64) | _linear_shapes(f"{prefix}.linear2", 64, total)
        shapes |= {f"{prefix}.norm{n}.{leaf}": (total,) for n in (1, 2) for leaf in ("weight", "bias")}
    shapes |= {f"transformer.encoder.norm.{leaf}": (total,) for leaf in ("weight", "bias")}
    return shapes | _linear_shapes("fc2", total, deepest) | _linear_shapes("fc", 2 * deepest, 1)


def tres_state(trunk: str, seed: int = 0) -> State:
    windows = {
        f"L2pooling_l{number}.filter": HANNING.expand(width, 1, 3, 3).clone()
        for number, width in enumerate(tres_widths(trunk), start=1)
    }
    return windows | random_state(tres_shapes(trunk), seed)


def _layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def _positions(total: int) -> Tensor:
    """Return the code (49, total) of a 7 x 7 grid, value by value: rows in the first half, columns in the second."""
    half = total // 2
    code = np.zeros((7, 7, total))
    channel = np.arange(half)
    wave = 10000.0 ** (2 * (channel // 2) / half)
    for row in range(7):
        for column in range(7):
            for start, place in ((0, row), (half, column)):
                angle = (place + 1) / (7 + 1e-6) * 2 * np.pi / wave
                code[row, column, start : start + half] = np.where(channel % 2 == 0, np.sin(angle), np.cos(angle))
    return torch.tensor(code.reshape(49, total), dtype=torch.float32)


def tres(state: State, images: Tensor) -> Tensor:
    """Return the raw scores (N, 1) of crops of 224 px."""
    layers = resnet(state, imagenet(images), **TRES_NAMES)
    maps = []
    for number, (x, size) in enumerate(zip(layers, (8, 4, 2, 1), strict=True), start=1):
        window = state[f"L2pooling_l{number}.filter"]
        unit = x / x.norm(dim=1, keepdim=True).clamp_min(1e-12)
        pooled = (F.conv2d(unit**2, window, padding=1, groups=x.shape[1]) + 1e-12).sqrt()
        maps.append(F.avg_pool2d(pooled, size))
    joined = torch.cat(maps, dim=1)
    total = joined.shape[1]
    tokens, positions = joined.flatten(2).transpose(1, 2), _positions(total)
    for layer in (0, 1):
        prefix = f"transformer.encoder.layers.{layer}"
        x = _layer_norm(state, f"{prefix}.norm1", tokens)
        weight, bias = state[f"{prefix}.self_attn.in_proj_weight"], state[f"{prefix}.self_attn.in_proj_bias"]
        parts = [
            F.linear(source, weight[n * total : (n + 1) * total], bias[n * total : (n + 1) * total])
            for n, source in enumerate((x + positions, x + positions, x))
        ]
        heads = []
        for query, key, value in zip(*(part.chunk(16, dim=2) for part in parts), strict=True):
            heads.append(F.softmax(query @ key.transpose(1, 2) / (total // 16) ** 0.5, dim=2) @ value)
        tokens = tokens + linear(state, f"{prefix}.self_attn.out_proj", torch.cat(heads, dim=2))
        x = _layer_norm(state, f"{prefix}.norm2", tokens)
        tokens = tokens + linear(state, f"{prefix}.linear2", F.relu(linear(state, f"{prefix}.linear1", x)))
    seen = linear(state, "fc2", _layer_norm(state, "transformer.encoder.norm", tokens).mean(1))
    return linear(state, "fc", torch.cat((seen, layers[3].mean((2, 3))), dim=1))

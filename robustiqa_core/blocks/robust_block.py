"""RobustBlock: an orthogonal convolution fitted to a place in a network, in two variants."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robustiqa_core.blocks.controls import Contraction
from robustiqa_core.blocks.convolution import BlockConvolution, ConstrainedConvolution, full_precision
from robustiqa_core.blocks.kept import Kept
from robustiqa_core.blocks.orthogonalizations import ORTHOGONALIZATIONS
from robustiqa_core.blocks.orthonormal import semi_orthogonal
from robustiqa_core.blocks.products import MOST_NUMBERS, Transforms, numbers, real_parts, transforms
from robustiqa_core.blocks.settings import BlockSettings
from robustiqa_core.blocks.spectral import SpectralConvolution
from robustiqa_core.checks import check_count

Value = TypeVar("Value")


def new_convolution(settings: BlockSettings, channels_in: int, channels_out: int) -> BlockConvolution:
    """Return the convolution that the settings name, with random weights.

    Raises:
        ConfigurationError: its kernel would take too much memory on the settings' grid.
    """
    kind = ORTHOGONALIZATIONS[settings.orthogonalization]
    # On the map's own grid the layer itself checks, once it knows it.
    grid = settings.grid or 1
    kind.cost(channels_in, channels_out, settings.kernel_size, grid, grid).check_memory()
    if issubclass(kind, Contraction):
        return kind(channels_in, channels_out, settings.kernel_size, factor=settings.factor)
    return kind(channels_in, channels_out, settings.kernel_size)


def averaging(size: int, cells: int, like: Tensor) -> Tensor:
    """Return the matrix (cells, size), with orthonormal rows, that averages an axis of `size` places to `cells` cells.

    Cell i has the n_i places from ceil(i size / cells) on, none of them shared, each with the weight 1 / sqrt(n_i), so
    that the transposed matrix spreads what the matrix gathered.

    Args:
        size: places of the axis.
        cells: at most `size`.
        like: gives device and dtype.

    Example:
        >>> averaging(3, 2, torch.zeros(1)).square()
        tensor([[0.5000, 0.5000, 0.0000],
                [0.0000, 0.0000, 1.0000]])
    """
    owner = torch.arange(size, device=like.device) * cells // size
    member = (owner == torch.arange(cells, device=like.device)[:, None]).to(like.dtype)
    return member / member.sum(1, keepdim=True).sqrt()


def as_rows(x: Tensor) -> Tensor:
    """Return maps (N, C, H, W) as (N, H W, C): no copy of one whose channels lie last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def as_maps(rows: Tensor, height: int, width: int) -> Tensor:
    """Return (N, H W, C) as maps (N, C, H, W) whose channels lie last."""
    return rows.reshape(len(rows), height, width, -1).permute(0, 3, 1, 2)


class RobustBlock(nn.Module, ABC):
    """Base of both variants: their settings, and a convolution between a map's grid and the map.

    A block derives an orthogonal kernel and directions from its weights at every call. Folded, for attacks and scores,
    it derives them once, and multiplies small maps by a few real matrices (see `products`).
    """

    convolution: BlockConvolution

    def __init__(self, settings: BlockSettings, channels: int) -> None:
        """Keep the settings.

        Args:
            settings: the block.
            channels: of the maps that it gets and returns.
        """
        super().__init__()
        settings.check_channels(check_count("channels", channels))
        self.settings, self.channels = settings, channels
        self._kept: Kept | None = None

    @abstractmethod
    def grid_of(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) of what the convolution gets of maps of height x width."""

    @abstractmethod
    def gather(self, x: Tensor) -> Tensor:
        """Return what the grid gets of maps (N, C, H, W), channel by channel: (N, C, *grid)."""

    @abstractmethod
    def spread(self, x: Tensor, height: int, width: int) -> Tensor:
        """Return maps (N, C, height, width) of what is on the grid, channel by channel."""

    @abstractmethod
    def transform(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W) of x (N, C, H, W), step by step: the formula of the variant."""

    @abstractmethod
    def multiply(self, x: Tensor) -> Tensor:
        """Return the same, of small maps, by the products of a folded spectral block."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W) of x (N, C, H, W)."""
        if self._kept is not None and torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters()):
            # Trainable weights may differ from those that it was folded with.
            self.unfold()
        small = self._kept is not None and self._is_small(x.shape[2], x.shape[3])
        return self.multiply(x) if small else self.transform(x)

    def fold(self) -> None:
        """Precompute what depends on the weights, which must not change any more; scores move by rounding only.

        A call in which a weight asks for a gradient unfolds the block. Moves and conversions are noticed, and kept
        tensors made anew; a write into a weight is not: unfold the block before.
        """
        self._kept = Kept()

    def unfold(self) -> None:
        """Derive everything from the weights at every call again."""
        self._kept = None

    @property
    def is_folded(self) -> bool:
        """Whether the block derives its matrices only once."""
        return self._kept is not None

    def _once(self, kind: str, key: Hashable, build: Callable[[], Value]) -> Value:
        """Return what `build` makes: now, or, while the block is folded, once for each key, device and precision."""
        if self._kept is None:
            return build()
        place = next(((weight.dtype, weight.device) for weight in self.parameters()), None)
        return self._kept.get(kind, (key, place), build)

    def _convolve(self, x: Tensor) -> Tensor:
        """Return the convolution of what is on the grid."""
        convolution, grid = self.convolution, (x.shape[2], x.shape[3])
        if self._kept is None or not isinstance(convolution, ConstrainedConvolution):
            y: Tensor = convolution(x)
            return y
        return convolution.convolve(self._once("kernel", grid, lambda: convolution.kernel(*grid)), x)

    def _is_small(self, height: int, width: int) -> bool:
        """Return whether a few products are the faster way."""
        if not isinstance(self.convolution, SpectralConvolution):
            return False
        return numbers((height, width), self.grid_of(height, width)) <= MOST_NUMBERS

    def _change(self, kernel: Tensor) -> Tensor:
        """Return the matrices (F, m, n) by which the block multiplies, of those of its convolution."""
        return kernel

    def _multiplied(self, values: Tensor, height: int, width: int) -> Tensor:
        """Return (N, P, m): values (N, P, n) at the places of maps, gathered, convolved (`_change`) and spread."""
        convolution, grid = cast(ConstrainedConvolution, self.convolution), self.grid_of(height, width)

        def ends() -> Transforms:
            return transforms((height, width), grid, self.gather, lambda x: self.spread(x, height, width), values)

        around = self._once("transforms", (height, width, values.dtype), ends)
        kernel = self._once("parts", grid, lambda: real_parts(self._change(convolution.kernel(*grid))))
        return around.apply(kernel, values)

    def extra_repr(self) -> str:
        """Return the settings for the printed model."""
        grid = "own grid" if self.settings.grid is None else f"grid {self.settings.grid} x {self.settings.grid}"
        shape = f"{self.channels} channels, width {self.settings.width}, {grid}"
        return f"{self.settings.variant}, {self.settings.orthogonalization}, {shape}"


class PaperBlock(RobustBlock):
    """The paper's block: y = upsample(Q(pool(R x))).

    R is a 1 x 1 convolution from C to r channels, the pool averages to a square grid, Q is an orthogonal convolution
    from r back to C channels, and the result is spread to the map's size by bilinear interpolation. R and the pool lose
    information, so that a trained network must relearn what follows; only Q preserves lengths. The block as a
    whole is not bounded: R may have any norm, and interpolation lengthens a map. `identity` in Q's place fills
    channels with zeros.

    Source: arXiv 2506.04951. As in its text; its code pools by overlapping maxima, which is neither 1-Lipschitz nor
    square for tall photos, and reduces by a 3 x 3 convolution.
    """

    def __init__(self, settings: BlockSettings, channels: int) -> None:
        """Make a block with random weights; see `RobustBlock`."""
        super().__init__(settings, channels)
        self.reduction = nn.Conv2d(channels, settings.width, 1)
        self.convolution = new_convolution(settings, settings.width, channels)

    def grid_of(self, height: int, width: int) -> tuple[int, int]:
        """Return the square grid of the settings."""
        side = self.settings.grid or 1
        return side, side

    def gather(self, x: Tensor) -> Tensor:
        """Return the averages on the grid."""
        return F.adaptive_avg_pool2d(x, self.settings.grid)

    def spread(self, x: Tensor, height: int, width: int) -> Tensor:
        """Return the grid's values, interpolated."""
        return F.interpolate(x, (height, width), mode="bilinear", align_corners=False)

    def transform(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W) of x (N, C, H, W)."""
        return self.spread(self._convolve(self.gather(self.reduction(x))), x.shape[2], x.shape[3])

    def multiply(self, x: Tensor) -> Tensor:
        """Return the same of small maps."""
        height, width = x.shape[-2:]
        reduced: Tensor = self.reduction(x)
        with full_precision(x.device):
            values = as_rows(reduced).to(self.reduction.weight.dtype)
            return as_maps(self._multiplied(values, height, width), height, width).to(reduced.dtype)


class IsometricBlock(RobustBlock):
    """The isometric block: y = x + b S^T (Q - I) S x, with b in (0, 1], and y = x at the start.

    S averages the map to cells and takes r of the C channels' directions; both have orthonormal rows, so S S^T = I.
    Write x = S^T S x + (I - S^T S) x, two parts at right angles. With b = 1, y = S^T Q S x + (I - S^T S) x, and

        |y|^2 = |Q S x|^2 + |x|^2 - |S x|^2   (the first term because |S^T z|^2 = <z, S S^T z> = |z|^2),

    which is |x|^2 if Q is orthogonal and at most |x|^2 if Q is 1-Lipschitz. With b < 1, y is a mean of x and that, and
    no longer either. All that S drops passes unchanged, Q starts as the identity, and so a trained network keeps its
    scores at step 0. Of the forms that are 1-Lipschitz, this one adds nothing to be undone: S^T Q S alone would lose
    what S drops, and x + B x over 2 with a B that is not the identity halves half of the map.

    With b = 1 and Q orthogonal no difference between two maps grows or shrinks: the block can move a perturbation, not
    remove it. With b = 1/2 it is removed as far as Q turns it against itself.
    """

    def __init__(self, settings: BlockSettings, channels: int) -> None:
        """Make a block that is the identity, or the control's own; see `RobustBlock`."""
        super().__init__(settings, channels)
        # The columns of an orthonormal matrix made from these are the directions of S.
        self.directions = nn.Parameter(torch.empty(channels, settings.width))
        nn.init.normal_(self.directions)
        self.convolution = new_convolution(settings, settings.width, settings.width)
        self.convolution.start_at_identity()

    def columns(self) -> Tensor:
        """Return the directions of S as the orthonormal columns of a matrix (C, r)."""

        def build() -> Tensor:
            with full_precision(self.directions.device):
                return semi_orthogonal(self.directions)

        return self._once("columns", (), build)

    def grid_of(self, height: int, width: int) -> tuple[int, int]:
        """Return the grid of the settings, on an axis that has fewer places that axis itself."""
        grid = self.settings.grid or max(height, width)
        return min(grid, height), min(grid, width)

    def cells(self, height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return the matrices that average rows and columns of maps, or None where the grid is their own."""
        grid = self.grid_of(height, width)
        if grid == (height, width):
            return None

        def build() -> tuple[Tensor, Tensor]:
            return averaging(height, grid[0], like), averaging(width, grid[1], like)

        return self._once("cells", (height, width, like.dtype, like.device), build)

    def gather(self, x: Tensor) -> Tensor:
        """Return the averages of the cells."""
        cells = self.cells(x.shape[2], x.shape[3], x)
        # Products along rows and columns of a map whose channels lie last would be ten times slower.
        return x if cells is None else cells[0] @ (x.contiguous() @ cells[1].mT)

    def spread(self, x: Tensor, height: int, width: int) -> Tensor:
        """Return the cells' values at their places."""
        cells = self.cells(height, width, x)
        return x if cells is None else cells[0].mT @ x @ cells[1]

    def _change(self, kernel: Tensor) -> Tensor:
        identity = torch.eye(kernel.shape[-1], dtype=kernel.dtype, device=kernel.device)
        return self.settings.blend * (kernel - identity)

    def transform(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W) of x (N, C, H, W): x + b S^T (Q - I) S x."""
        height, width = x.shape[-2:]
        columns, gathered = self.columns().to(x.dtype), self.gather(x)
        batch, _, *grid = gathered.shape
        seen = (columns.mT @ gathered.flatten(2)).reshape(batch, -1, *grid)
        change = self.settings.blend * (self._convolve(seen) - seen)
        y: Tensor = x + self.spread((columns @ change.flatten(2)).reshape(gathered.shape), height, width).to(x.dtype)
        return y

    def multiply(self, x: Tensor) -> Tensor:
        """Return the same of small maps."""
        height, width = x.shape[-2:]
        with full_precision(x.device):
            columns = self.columns()
            rows = as_rows(x).to(columns.dtype)
            changed = rows + self._multiplied(rows @ columns, height, width) @ columns.mT
        return as_maps(changed, height, width).to(x.dtype)


BLOCKS: dict[str, type[PaperBlock] | type[IsometricBlock]] = {"isometric": IsometricBlock, "paper": PaperBlock}


def new_block(settings: BlockSettings, channels: int) -> RobustBlock:
    """Return a block for maps of that many channels, its first weights fixed by the seed.

    The random state is as before.

    Raises:
        ConfigurationError: the block is wider than the map, or its kernel would take too much memory.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return BLOCKS[settings.variant](settings, channels)

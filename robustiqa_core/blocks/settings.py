"""The definition of a RobustBlock, without its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from robustiqa_core.blocks.convolution import KERNEL_SIZES
from robustiqa_core.blocks.orthogonalizations import ORTHOGONALIZATIONS
from robustiqa_core.checks import Configuration, check_choice, check_count, check_fraction
from robustiqa_core.errors import ConfigurationError
from robustiqa_core.schema import choice, schema_of, setting

Variant = Literal["isometric", "paper"]
VARIANTS: tuple[Variant, ...] = ("isometric", "paper")


@dataclass(frozen=True, slots=True)
class BlockSettings(Configuration):
    """What defines a RobustBlock besides its weights; stored in the model card by name.

    Args:
        variant: `isometric` starts as the identity and leaves the rest of the map unchanged; `paper` is the paper's.
        orthogonalization: the convolution inside, a key of `ORTHOGONALIZATIONS`.
        width: channels that the block works on, at most those of the map where it is inserted.
        grid: rows and columns of the square grid that the map is averaged to. `isometric` takes the map's own side
            where that is shorter, or None: the map's own grid, whose size then decides the memory of a kernel.
        kernel_size: places across the convolution's kernel, one of 1, 3, 5 and 7.
        blend: of `isometric`, the share of the change that is made, in (0, 1]. 1 keeps all lengths; 1/2 is
            (x + Bx) / 2, which shortens what the block would turn. Ignored by `paper`.
        factor: of the control `contraction`, in (0, 1]; ignored by the others.
        seed: of the first weights.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    variant: Variant = setting("isometric", shown=True, help="of the block; the paper's sets no bound to a change")
    orthogonalization: str = setting(
        "cayley", codec=choice(ORTHOGONALIZATIONS), shown=True, help="of its convolution, or a control in its place"
    )
    width: int = setting(64, shown=True, help="channels of the block")
    grid: int | None = setting(8, shown=True, help="side of its grid, or none for the map's own")
    kernel_size: int = setting(3, help="of its convolution")
    blend: float = setting(1.0, shown=True, help="share of its change that is made")
    factor: float = setting(0.5, help="of the control contraction")
    seed: int = setting(0, option="block_seed", parameter="block_seed", help="of its first weights")

    def __post_init__(self) -> None:
        check_choice("variant", self.variant, VARIANTS)
        check_choice("orthogonalization", self.orthogonalization, ORTHOGONALIZATIONS)
        check_count("width", self.width, high=4096)
        if self.grid is not None:
            check_count("grid", self.grid, high=256)
        elif self.variant == "paper":
            raise ConfigurationError("the paper's block needs a grid to pool to, got None; use 8, or variant isometric")
        if self.kernel_size not in KERNEL_SIZES:
            raise ConfigurationError(f"kernel_size must be one of {KERNEL_SIZES}, got {self.kernel_size}; choose one")
        check_fraction("blend", self.blend)
        check_fraction("factor", self.factor)
        check_count("seed", self.seed, low=0, high=2**63 - 1)

    def check_channels(self, channels: int) -> None:
        """Raise ConfigurationError if the block does not fit a map of that many channels."""
        if self.width > channels:
            raise ConfigurationError(
                f"width must be at most the {channels} channels at the block's place, got {self.width}; "
                "choose a smaller width or a deeper place"
            )

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, place: str) -> "BlockSettings":
        """Return the settings from a JSON object, as `dataclasses.asdict` makes it; see `Schema.from_json`."""
        return schema_of(cls, "the settings of a block").from_json(value, place=place)

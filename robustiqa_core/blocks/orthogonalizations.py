"""All convolutions that a block can have, by name."""

from robustiqa_core.blocks.aoc import AOC
from robustiqa_core.blocks.aol import AOL
from robustiqa_core.blocks.cayley import Cayley
from robustiqa_core.blocks.controls import Contraction, Identity, Plain
from robustiqa_core.blocks.convolution import BlockConvolution
from robustiqa_core.blocks.soc import SOC

ORTHOGONALIZATIONS: dict[str, type[BlockConvolution]] = {
    "cayley": Cayley,
    "aoc": AOC,
    "soc": SOC,
    "aol": AOL,
    "plain": Plain,
    "identity": Identity,
    "contraction": Contraction,
}

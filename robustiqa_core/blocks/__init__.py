"""Orthogonal convolutions, the RobustBlock that is made of them, and its insertion into a network."""

from robustiqa_core.blocks.convolution import BlockConvolution, ConstrainedConvolution, Guarantee, LayerCost
from robustiqa_core.blocks.folding import fold_blocks, folded_blocks
from robustiqa_core.blocks.insertion import block_at, blocks_of, insert, insertion_points
from robustiqa_core.blocks.measure import orthogonality_error, response, singular_values
from robustiqa_core.blocks.orthogonalizations import ORTHOGONALIZATIONS
from robustiqa_core.blocks.preview import CostPreview, preview, with_build_time
from robustiqa_core.blocks.robust_block import IsometricBlock, PaperBlock, RobustBlock, new_block
from robustiqa_core.blocks.settings import VARIANTS, BlockSettings, Variant

__all__ = [
    "ORTHOGONALIZATIONS",
    "VARIANTS",
    "BlockConvolution",
    "BlockSettings",
    "ConstrainedConvolution",
    "CostPreview",
    "Guarantee",
    "IsometricBlock",
    "LayerCost",
    "PaperBlock",
    "RobustBlock",
    "Variant",
    "block_at",
    "blocks_of",
    "fold_blocks",
    "folded_blocks",
    "insert",
    "insertion_points",
    "new_block",
    "orthogonality_error",
    "preview",
    "response",
    "singular_values",
    "with_build_time",
]

"""RobustIQA: see, measure and repair the adversarial fragility of image-quality models.

    import robustiqa_core as rq

    model = rq.load("linearity")
    result = rq.PGD(eps=4 / 255)(model, "photo.jpg")
    print(result.gain, result.ssim)
    result.save("adversarial.png")

`docs/reference/python.md` has the rest. Names in `__all__` are imported when they are first used, so that importing the
package takes no time, and not the seconds of torch. No subpackage may share a name with `__all__`: once imported, it
would hide what that name stands for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from robustiqa_core.names import closest

if TYPE_CHECKING:
    from robustiqa_core.public import (
        APGD,
        ATTACKS,
        FGSM,
        MIFGSM,
        NES,
        PGD,
        UAP,
        AttackResult,
        AuditReport,
        BlockSettings,
        Colour,
        ConfigurationError,
        Evaluation,
        Hardened,
        HardeningRecipe,
        InputError,
        LowFrequency,
        MissingWeightsError,
        Noise,
        NumericalError,
        Perceptual,
        Photo,
        PhotoLike,
        PruningSettings,
        RobustIQAError,
        Scorer,
        ScoreRange,
        Square,
        StAdv,
        TextureAware,
        UnknownSettingError,
        Worst,
        audit,
        evaluate,
        harden,
        insert_block,
        list_models,
        load,
        load_card,
        prune,
        read_image,
        save,
    )

__version__ = "0.1.0"

__all__ = [
    "APGD",
    "ATTACKS",
    "FGSM",
    "MIFGSM",
    "NES",
    "PGD",
    "UAP",
    "AttackResult",
    "AuditReport",
    "BlockSettings",
    "Colour",
    "ConfigurationError",
    "Evaluation",
    "Hardened",
    "HardeningRecipe",
    "InputError",
    "LowFrequency",
    "MissingWeightsError",
    "Noise",
    "NumericalError",
    "Perceptual",
    "Photo",
    "PhotoLike",
    "PruningSettings",
    "RobustIQAError",
    "ScoreRange",
    "Scorer",
    "Square",
    "StAdv",
    "TextureAware",
    "UnknownSettingError",
    "Worst",
    "__version__",
    "audit",
    "evaluate",
    "harden",
    "insert_block",
    "list_models",
    "load",
    "load_card",
    "prune",
    "read_image",
    "save",
]


def __getattr__(name: str) -> Any:
    """Return what `name` stands for in the public face, imported now; see PEP 562."""
    if name in __all__:
        return getattr(importlib.import_module("robustiqa_core.public"), name)
    near = closest(name, __all__)
    hint = f"did you mean {near}?" if near else "docs/reference/python.md lists what there is"
    # With the name alone, so that the interpreter, which asks for the object too, adds no second guess.
    raise AttributeError(f"robustiqa_core has no {name}; {hint}", name=name)


def __dir__() -> list[str]:
    """Return the names that completion offers, imported or not."""
    return sorted({*globals(), *__all__})

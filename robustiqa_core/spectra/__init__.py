"""Why an attack works: spectra of perturbations, sensitivity of a model by frequency, growth through its layers."""

from robustiqa_core.spectra.amplification import (
    INPUT_POINT,
    NORMS,
    SCORE_POINT,
    Growth,
    Norms,
    PointSummary,
    Spread,
    measure_amplification,
    summarise,
)
from robustiqa_core.spectra.density import DensityMap, density_map
from robustiqa_core.spectra.flow import Arrows, FlowFigures, arrows, curl, displacement, divergence, flow_figures
from robustiqa_core.spectra.fourier import (
    WHITE_LUMA_SHARE,
    WINDOWS,
    RadialProfile,
    Spectrum,
    SpectrumFigures,
    Window,
    band_shares,
    combine_figures,
    radial_profile,
    spectrum,
    spectrum_figures,
)
from robustiqa_core.spectra.frequencies import BANDS, Band
from robustiqa_core.spectra.sensitivity import (
    FrequencyResponse,
    SensitivityMap,
    SensitivitySettings,
    assemble,
    band_means,
    measure_sensitivity,
)
from robustiqa_core.spectra.singular import largest_singular_value
from robustiqa_core.spectra.study import NOISE, MeasuredChange, follow_change, measure_change

__all__ = [
    "BANDS",
    "INPUT_POINT",
    "NOISE",
    "NORMS",
    "SCORE_POINT",
    "WHITE_LUMA_SHARE",
    "WINDOWS",
    "Arrows",
    "Band",
    "DensityMap",
    "FlowFigures",
    "FrequencyResponse",
    "Growth",
    "MeasuredChange",
    "Norms",
    "PointSummary",
    "RadialProfile",
    "SensitivityMap",
    "SensitivitySettings",
    "Spectrum",
    "SpectrumFigures",
    "Spread",
    "Window",
    "arrows",
    "assemble",
    "band_means",
    "band_shares",
    "combine_figures",
    "curl",
    "density_map",
    "displacement",
    "divergence",
    "flow_figures",
    "follow_change",
    "largest_singular_value",
    "measure_amplification",
    "measure_change",
    "measure_sensitivity",
    "radial_profile",
    "spectrum",
    "spectrum_figures",
    "summarise",
]

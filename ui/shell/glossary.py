"""A glossary of the field's terms; shown in place and on the page that explains them."""

WORDS: dict[str, str] = {
    "Usual range": "The lowest and the highest score that a model gave to the photos that it was trained on, or to "
    "ordinary photos. Changes of scores are given as shares of it.",
    "Hardened": "Changed so that attacks move the scores less: with a block, by training on attacked photos, or both.",
    "Adversarial training": "Training on attacked photos as well as clean ones. Partial: weights interpolated between "
    "these and the baseline's.",
    "Baseline": "A model as it was trained, without any defence. Hardened models were made from it.",
    "Quality model": "A network that says how good a photo looks, from the photo alone (no-reference image quality "
    "assessment, NR-IQA).",
    "MOS": "Mean opinion score: the average rating that people gave a photo. Models learn to predict it.",
    "Adversarial photo": "A photo changed on purpose, as little as possible, so that a model judges it wrongly.",
    "PGD": "Projected gradient descent: many small steps along the model's gradient, each pulled back into the allowed "
    "change. The usual strong attack.",
    "FGSM": "Fast gradient sign method: a single step of full size along the sign of the gradient.",
    "Random noise": "Changes of the same size drawn at random. What an attack has to beat.",
    "Strength (eps)": "How far a colour value may move. 4/255 means four of the 255 steps from black to white.",
    "l∞ and l2": "Two ways to measure a change: the largest change of any value, or the length of all together.",
    "PSNR": "Peak signal-to-noise ratio in decibels: how small the mean squared change is; higher = more similar.",
    "SSIM": "Structural similarity: compares brightness, contrast and structure in small windows; 1 = equal.",
    "Rounding to 8 bits": "A PNG file holds whole levels from 0 to 255. The attack computes finer values, but "
    "what counts is the score of the rounded photo.",
    "SROCC": "Spearman's rank correlation between scores and human ratings: 1 if the model orders photos as people do.",
    "PLCC": "Pearson's correlation between scores (after a fitted curve) and human ratings; 1 at best.",
    "Audit": "Checks of a model and an attack: is the model robust, or does it only look so because the attack failed?",
    "Reference": "A model to compare with, usually the baseline that a hardened model was made from.",
    "Defence": "Something put in front of a model, or built into it, to make attacks harder.",
    "Gain (AbsGain)": "The mean change of the score by an attack, as a share of a scale from 0 to 1. Near 0 = robust.",
    "R-score": "How much farther a score could have moved than it did, as a power of ten: 1 means a tenth of the way. "
    "Higher = more robust. A photo that did not move at all counts as 6.",
    "Rank correlation, clean and attacked": "Whether photos keep their order under the attack (Spearman): 1 = same "
    "order, 0 = unrelated, -1 = reversed.",
    "Flipped pairs": "The share of pairs of photos whose order the attack reversed; one half is chance.",
    "Unmoved photos": "The share of photos whose score moved by less than a thousandth of the scale: the attack did "
    "nothing there, which alone does not show robustness.",
    "Scale convention": "Whose lowest and highest clean score become 0 and 1: each model's own, over photos of all "
    "kinds; its own over these photos alone (the strictest: giving them all one score gains nothing); the "
    "baseline's (a model that compresses its scores looks robust); or a fixed scale.",
    "Bootstrap interval": "Where the mean would lie for other photos of the same kind: the central 95 % over a "
    "thousand resamples of the photos, drawn with replacement.",
    "Black box": "The attacker can query the model for scores but knows nothing else about it.",
    "Transfer": "A change made against one model also moves another one. It needs no access to that model.",
    "Hidden gradients": "A model whose gradients mislead an attack looks robust, although other changes "
    "still move its score.",
    "White box": "The attacker knows the model, including all its weights.",
    "Spectrum": "How much of a change lies in waves of each frequency, from coarse to fine, found by the Fourier "
    "transform.",
    "Cycles per pixel": "How fine a wave is: at 1/4 cycle per pixel it repeats every 4 pixels. 1/2 is the finest along "
    "a row.",
    "White noise": "Random changes, independent from pixel to pixel. All frequencies have the same energy on average.",
    "Root mean square": "The usual average size of a change: the square root of the mean of the squares.",
    "Luma and chroma": "Luma is brightness, chroma is colour at equal brightness. Their energies add up to the total.",
    "Flow": "How an attack that moves pixels does it: arrows point to where each pixel's colour comes from.",
    "Largest singular value": "The most by which a stage can lengthen a small change: its local Lipschitz constant.",
    "Paper's ratio": "Values that leave a stage for each value that enters it. The paper uses it to choose a place for "
    "a block; it is a count, not a measurement.",
    "Filter": "One of the small pattern detectors of a layer. It makes one channel of what the next layer sees.",
    "Pruning ratio": "The share of the filters that is removed. The number kept in a layer is rounded to a "
    "multiple of 8.",
    "Importance": "How much a filter matters by the criterion; the least important are removed first.",
    "Parameters": "The numbers that training sets in a network; fewer = a smaller file and less memory.",
    "Multiply-adds": "Multiplications followed by an addition for one photo; fewer = less work.",
    "Agreement": "Spearman's rank correlation with the scores of the model that was changed: 1 = it orders photos as "
    "before.",
    "Fine-tuning": "Training a changed model a little longer, so that it recovers its old scores.",
    "Baking": "Cutting the chosen filters out of the weights for good, which makes the model smaller and faster.",
    "RobustBlock": "An orthogonal convolution between two stages of a trained model. Isometric: starts as the identity "
    "and preserves lengths. The paper's: downsamples the map, convolves and upsamples it again, "
    "and does not bound a change.",
    "Orthogonal": "Preserves lengths: a change that an attack has put into the signal is as long after the layer as "
    "before it.",
    "Control": "A simple stand-in for the block: a plain convolution, nothing at all, or a factor below 1. "
    "A block that does not beat its controls shows nothing.",
    "Blend": "How much of the block's change is applied: 1 is all of it, which preserves lengths; below 1 is a mean "
    "with the original signal.",
    "Epoch": "One pass over all crops in fine-tuning.",
    "Distillation": "Learning from another model's scores, here the baseline's own, when there are no human ratings.",
    "Ratio of dimensions": "The paper's c_out s_out² / (c_in s_in²): values in a stage's output for one in its "
    "input. It is a count, not a measurement.",
    "Amplification": "By how much the share of a change in the signal has grown from the photo to a place, measured "
    "on a sample photo. Above 1 = the change stands out more than in the photo.",
}

GROUPS: dict[str, tuple[str, ...]] = {
    "Models and scores": (
        "Agreement",
        "Baseline",
        "MOS",
        "PLCC",
        "Quality model",
        "Reference",
        "SROCC",
        "Usual range",
    ),
    "Attacks": (
        "Adversarial photo",
        "Black box",
        "FGSM",
        "Flow",
        "Hidden gradients",
        "l∞ and l2",
        "PGD",
        "PSNR",
        "Random noise",
        "Rounding to 8 bits",
        "SSIM",
        "Strength (eps)",
        "Transfer",
        "White box",
    ),
    "Figures of robustness": (
        "Audit",
        "Bootstrap interval",
        "Flipped pairs",
        "Gain (AbsGain)",
        "R-score",
        "Rank correlation, clean and attacked",
        "Scale convention",
        "Unmoved photos",
    ),
    "Defences": (
        "Adversarial training",
        "Blend",
        "Control",
        "Defence",
        "Distillation",
        "Epoch",
        "Fine-tuning",
        "Hardened",
        "Orthogonal",
        "Paper's ratio",
        "Ratio of dimensions",
        "RobustBlock",
    ),
    "Pruning": (
        "Baking",
        "Filter",
        "Importance",
        "Multiply-adds",
        "Parameters",
        "Pruning ratio",
    ),
    "Waves and layers": (
        "Amplification",
        "Cycles per pixel",
        "Largest singular value",
        "Luma and chroma",
        "Root mean square",
        "Spectrum",
        "White noise",
    ),
}
"""The terms by subject, in alphabetical order."""

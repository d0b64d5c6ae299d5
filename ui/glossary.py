"""The words of the field, short and right; shown in place and on the page that explains them."""

WORDS: dict[str, str] = {
    "Quality model": "A network that says how good a photo looks, from the photo alone (no-reference image quality "
    "assessment, NR-IQA).",
    "MOS": "Mean opinion score: the average rating that people gave a photo. Models learn to predict it.",
    "Adversarial photo": "A photo changed on purpose, as little as possible, so that a model judges it wrongly.",
    "PGD": "Projected gradient descent: many small steps along the model's gradient, each pulled back into the allowed "
    "change. The usual strong attack.",
    "FGSM": "Fast gradient sign method: a single step of full size along the sign of the gradient.",
    "Random noise": "Changes of the same size drawn at random. What an attack has to beat to be called one.",
    "Strength (eps)": "How far a colour value may move. 4/255 means four of the 255 steps from black to white.",
    "l∞ and l2": "Two ways to measure a change: the largest change of any value, or the length of all together.",
    "PSNR": "Peak signal-to-noise ratio in decibels: how small the mean squared change is; higher = more alike.",
    "SSIM": "Structural similarity: compares brightness, contrast and structure in small windows; 1 = equal.",
    "Rounding to 8 bits": "A PNG file holds whole levels from 0 to 255. The attack has finer values; what counts "
    "in the end is the score of the rounded photo.",
    "SROCC": "Spearman's rank correlation between scores and human ratings: 1 if the model orders photos as people do.",
    "PLCC": "Pearson's correlation between scores (after a fitted curve) and human ratings; 1 at best.",
    "White box": "The attacker knows the model with all its weights.",
}

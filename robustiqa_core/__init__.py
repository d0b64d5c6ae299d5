"""RobustIQA: see, measure and repair the adversarial fragility of image-quality models.

The core is useful without the app: load a scorer, attack a photo, read the figures.
"""

__version__ = "0.1.0"

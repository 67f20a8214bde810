"""CT nodules: prepared from patches, and a generative model of them.

``prepare`` turns patches and segmentations into a library; ``model`` says what a nodule is drawn
from, ``measure`` and ``fit`` learn it from real patches, ``synthesise`` draws new patches from it,
``evaluate`` holds them against real ones.
"""

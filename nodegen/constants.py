"""The numbers that several steps of the method share, each with its source.

"Paper" is Sallé et al., "Synthetic nodule generation using one-shot generative learning for CXR
nodule detection"; "baseline" is the NODE21 organisers' generation baseline; "SinGAN" is Rott
Shaham et al., ICCV 2019.
"""

import math

# --- Grey scale -------------------------------------------------------------------------------
GREY_MAX = 4095  # NODE21 images: unsigned 16 bit, 0..4095
CHALLENGE_MAX = 255  # output range of the baseline, which the challenge reads

# --- CT nodules and their projection (baseline, ``generate_2d``) --------------------------------
HU_MIN, HU_MAX = -500.0, 400.0  # HU are clipped to this window
HU_OFFSET = 1024.0  # added to HU, so that air is close to 0
HU_SCALE = 1000.0  # HU + offset are divided by it: water is close to 1
BETA = 0.85  # boost of absorption with density
ABSORPTION_MAX = 1.0  # cap before the exponential
PROJECTION_AXIS = 1  # of the patch array (slice, row, column): front to back
EMPTY_RAY = math.exp(BETA * (HU_MIN + HU_OFFSET) / HU_SCALE)  # projection where a ray meets nothing
LUNG_HU = -860.0  # lung around a nodule: median over the organisers' patches, far from the nodule

# --- Cascade (paper; what it leaves unsaid is SinGAN's) -------------------------------------------
CROP_PX = 256  # side of the training image and of the crop that is harmonised
SCALES = 16  # generators in a cascade, coarse to fine
SMALLEST_PX = 25  # side of the crop at scale 0
KERNEL = 5  # side of every convolution kernel, px
LAYERS = 5  # convolutions in a generator and in a discriminator
HALF_WIDTH_PX = LAYERS * (KERNEL - 1) // 2  # reach of a generator: 10 px
CHANNELS_DOUBLE_EVERY = 4  # scales of one width in the paper; in a file
LEAKY_SLOPE = 0.2
BATCH_NORM_EPS = 1e-5  # torch's default, which SinGAN keeps

# --- Contrast and class (paper; method facts) -----------------------------------------------------
CLASSES = ("hyposignal", "hypersignal")

# --- Visibility (docs/appearance.md) --------------------------------------------------------------
# JSRT's five grades of subtlety (Shiraishi et al., AJR 2000: 25, 29, 50, 38 and 12 of 154 nodules):
# those quantiles of the visibility that real nodules have in NODE21's boxes; beyond the outermost,
# as far as real ones go.
GRADES = {
    "extremely-subtle": (0.50, 0.84),
    "very-subtle": (0.84, 1.17),
    "subtle": (1.17, 1.86),
    "relatively-obvious": (1.86, 3.16),
    "obvious": (3.16, 4.50),
}

# --- Recipe (paper; method facts) -----------------------------------------------------------------
N0 = {"hyposignal": (5, 7), "hypersignal": (7, 9)}  # first scale of harmonisation, both ends drawn
WEIGHT = {"hyposignal": (0.45, 0.55), "hypersignal": (0.35, 0.45)}  # of the harmonised crop

# --- Mask for harmonisation (method facts) --------------------------------------------------------
DILATION_PX = 7  # radius of the disk
MASK_BLUR_PX = 5.0  # sigma
MASK_TRUNCATE = 4.0  # sigmas: the blurred mask ends there, exactly
MASK_REACH_PX = DILATION_PX + int(MASK_BLUR_PX * MASK_TRUNCATE + 0.5)  # beyond the nodule: 27 px

# --- Add-back "grain" ("seen when it was tried") --------------------------------------------------
GAIN_MOST = 4.0  # by which a harmonised change is raised or lowered to keep the contrast drawn

# --- Boxes (contract) -----------------------------------------------------------------------------
SMALLEST_BOX_PX = 5  # smaller boxes are grown to it

# --- Random streams: what each is for; part of its key, so that no two are alike ----------------
BOX_STREAM, SLICE_STREAM, NOISE_STREAM = 1, 2, 3

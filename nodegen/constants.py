"""The numbers of the method, each with its source.

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
CANDIDATES_DIVISOR = 5.0  # a nodule may fill a box where its diameter > size / 5 (baseline)
CANDIDATES_DIVISOR_ELSE = 10.0  # where there is none: > size / 10 (baseline)
CANDIDATES_MIN_NODULES = 24  # different nodules to choose from, however big the box (ours)
ALIKE_MOST = 2.0  # "close to the box's size": up to twice the baseline's bound (ours)
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
CONTRAST_FLOOR = {"hyposignal": 0.6, "hypersignal": 0.7}
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
# Side of the visible disc's bounding box over its box's side, both ends drawn: brings the mean
# profile's half height to 0.7 of the half sides, where it lies in NODE21's official boxes.
FILL = (0.66, 0.86)
# Exponent on a thickness of 1 at its plateau, both ends drawn. A CT nodule is rounder along the ray
# than those found on radiographs. At 1 a margin is 6.3 px wide at the median, 7.4 of large ones;
# real ones have 5.0 and 3.7 (`nodegen judge`).
MARGIN_EXPONENT = (0.55, 0.85)
# Detector's blur, standard deviation in px, both ends drawn; edges become as wide as real ones.
DETECTOR_BLUR_PX = (0.6, 1.4)

# --- Class of a box (paper) -----------------------------------------------------------------------
OTSU_CLASSES = 4
OTSU_BINS = 256  # scikit-image's default, and the baseline's 8 bit
HYPERSIGNAL_SHARE = 0.5  # of the box's pixels above the top threshold ("a majority")

# --- Recipe (paper; method facts) -----------------------------------------------------------------
N0 = {"hyposignal": (5, 7), "hypersignal": (7, 9)}  # first scale of harmonisation, both ends drawn
WEIGHT = {"hyposignal": (0.45, 0.55), "hypersignal": (0.35, 0.45)}  # of the harmonised crop

# --- Mask for harmonisation (method facts) --------------------------------------------------------
DILATION_PX = 7  # radius of the disk
MASK_BLUR_PX = 5.0  # sigma
MASK_TRUNCATE = 4.0  # sigmas: the blurred mask ends there, exactly
MASK_REACH_PX = DILATION_PX + int(MASK_BLUR_PX * MASK_TRUNCATE + 0.5)  # beyond the nodule: 27 px

# --- Poisson (organisers' baseline) ---------------------------------------------------------------
POISSON_WEIGHT = 0.5  # the baseline's mean of the blended and the untouched image

# --- Finish (paper; method facts), in grey levels of 0..255 ---------------------------------------
FINISH_NOISE = 3.0  # sigma
FINISH_BLUR_PX = 1.0  # sigma of the "Gaussian blur of 3 pixels"
FINISH_BLUR_TRUNCATE = 3.0  # sigmas: its 3 pixels

# --- Add-back "grain" ("seen when it was tried") --------------------------------------------------
# Low pass of the change. On 185 boxes the shipped cascades have a tell of 0.55 / 0.52 / 0.51 at
# 2.5 / 3 / 3.5 px; beyond 3 px nodules only grow softer.
GRAIN_SIGMA_PX = 3.0
# Of what generators add, that which is coarser is left out: a linear probe, 1,374 nodules, gives
# .9430 with it, .9441 without, .9423 with nothing added (docs/trials.md).
COARSE_SIGMA_PX = 8.0
GAIN_MOST = 4.0  # by which a harmonised change is raised or lowered to keep the contrast drawn

# --- Boxes (contract) -----------------------------------------------------------------------------
SMALLEST_BOX_PX = 5  # smaller boxes are grown to it

"""The numbers of the method, each with its source.

"Paper" is Sallé et al., "Synthetic nodule generation using one-shot generative learning for CXR
nodule detection"; "baseline" is the NODE21 organisers' generation baseline; "SinGAN" is Rott
Shaham et al., ICCV 2019.
"""

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

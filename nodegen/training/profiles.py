"""The two settings with which a cascade is trained."""

from dataclasses import dataclass

from nodegen.cascade.pyramid import scale_sizes
from nodegen.constants import CHANNELS_DOUBLE_EVERY, SCALES

CHANNELS, CHANNELS_MAX = 32, 128  # of the first scales, and of the last ones (paper)


@dataclass(frozen=True)
class Profile:
    """How long and how wide a cascade is trained."""

    channels: tuple[int, ...]  # inner width of both networks at each scale
    iterations: tuple[int, ...]  # at each scale
    steps: int  # of the discriminator, then of the generator, in each iteration
    # Side of the random window that an iteration looks at; None: the whole crop. Both networks are
    # local and a window gets its true surroundings, so this only subsamples the patches over which
    # the losses are averaged.
    window_px: int | None
    redraw_every: int  # iterations for which one image drawn from the scales below serves


PROFILES = {
    # The paper's; the steps are SinGAN's.
    "paper": Profile(
        channels=tuple(
            min(CHANNELS * 2 ** (n // CHANNELS_DOUBLE_EVERY), CHANNELS_MAX) for n in range(SCALES)
        ),
        iterations=(2000,) * SCALES,
        steps=3,
        window_px=None,
        redraw_every=1,
    ),
    # Two CPU cores train it in less than an hour: narrow, one step each, windows at the fine
    # scales, and more iterations at the small scales, where they cost little.
    "compact": Profile(
        channels=(CHANNELS,) * SCALES,
        iterations=tuple(1000 if side <= 64 else 500 for side in scale_sizes()),
        steps=1,
        window_px=112,
        redraw_every=8,
    ),
}

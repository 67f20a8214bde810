"""How far beyond the mask each scale of a cascade must compute."""

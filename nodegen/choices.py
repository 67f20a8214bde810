"""The names among which a user chooses; they import nothing, so that `--help` stays quick."""

METHODS = ("singan", "poisson", "paste")
INTENSITIES = ("challenge", "input")
DEVICES = ("auto", "cpu", "cuda")
ADD_BACKS = ("grain", "paper")
CONTRASTS = ("real", "paper")
WINDOWS = ("default", "exact", "full")

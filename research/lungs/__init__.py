"""How the lung network and the prior of positions were trained."""

"""How what ships was made, and what was tried: not part of the package."""

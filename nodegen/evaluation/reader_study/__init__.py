"""Reader studies: can people tell synthetic nodules from real ones? Made, answered, analysed."""

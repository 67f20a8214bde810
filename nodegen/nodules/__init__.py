"""CT nodules: prepared from patches, and a generative model of them.

``patches`` reads and writes the organisers' form, and ``prepare`` turns it into a library.

The model: ``measure`` puts a nodule into numbers (``harmonics`` for its surface and density),
``fit`` learns their distribution, ``model`` keeps it and draws from it, ``synthesise`` renders what
was drawn as a patch. ``evaluate`` holds synthetic nodules against real ones that the model has not
seen, by their ``features``; ``sheet`` lays them side by side to be looked at.
"""

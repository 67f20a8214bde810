"""The generative model of CT nodules that nodegen's own library was drawn from.

``measure`` puts a nodule into numbers (``harmonics`` for its surface and density), ``fit`` learns
their distribution, ``model`` keeps it and draws from it, ``synthesise`` renders what was drawn, and
``write`` stores it as patches. ``evaluate`` compares synthetic nodules with real ones that the
model has not seen, by their ``features``; ``sheet`` lays them side by side.
"""

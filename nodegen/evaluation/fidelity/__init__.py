"""Fidelity: how real nodules look, measured on images alone and held against real ones.

It knows nothing of how nodules were made: it takes radiographs and boxes. ``measures`` is what is
measured of one box, ``reference`` what real nodules give, ``judge`` the verdict on a stack.
"""

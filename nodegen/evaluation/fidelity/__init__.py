"""The judge: how real do nodules look, measured on images alone.

It knows nothing of how the nodules were made: it takes a stack before, a stack after, and boxes.
"""

"""Fidelity: how real nodules look, by measures of radiographs and boxes, whatever made them."""

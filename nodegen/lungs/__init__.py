"""The lung fields of a radiograph, and what of the lungs heart and diaphragm hide.

:func:`.fields.find_lungs` labels them in the radiograph's own pixels, by torch and from several
views. :func:`.region.find_region` is quick and rough, and needs no torch: it says where a box lies.
"""

"""The lung fields of a radiograph, and what of the lungs heart and diaphragm hide.

:func:`.fields.find_lungs` labels them in the radiograph's own pixels, from several views.
:func:`.region.find_region` is quick and rough: it says where a box lies.
"""

"""From a folder of radiographs to a training set: images with nodules, boxes and masks.

:mod:`.sources` finds the radiographs, :mod:`.dataset_plan` draws all that is random,
:mod:`.example` draws the nodules of one image in memory, :mod:`.image_maker` writes it with its
record, and :mod:`.finalise` writes the files of the whole set: the trainers' index files
(:mod:`.formats`), manifest, data card, report and contact sheet. :mod:`.make_dataset` has it done
in one or several processes, in a share of them, or by a cluster.
"""

"""From a folder of radiographs to a training set: images with nodules, boxes and masks.

The way of an image: :mod:`.sources` finds the radiographs, :mod:`.plan` draws all that is random,
:mod:`.example` makes one image of it in memory, :mod:`.write` lays it down file by file, and
:mod:`.finish` writes what tells of the whole set: the trainers' index files (:mod:`.formats`),
manifest, data card, report and contact sheet. :mod:`.worker` does so for one radiograph, and
:mod:`.run` has it done in one or several processes, or in a share of them, or by :mod:`.cluster`.
"""

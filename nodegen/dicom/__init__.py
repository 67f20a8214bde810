"""DICOM: radiographs read and written, and segmentations."""

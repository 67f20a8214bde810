"""The steps of the method between reading and blending, each under the paper's word for it."""

"""Files in and out: stacks, boxes, and whatever must be whole or not there at all."""

"""Images as uint8 tensors, from wherever they come, and batches drawn from them."""

"""Model families: shapes, initial weights, scores and per-record gradients. A file each."""

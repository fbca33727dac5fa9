"""Models as they go elsewhere: one list of steps, written as ONNX, as PyTorch, or run in numpy."""

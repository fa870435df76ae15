"""A detector as files that run without this repository: SavedModel, TFLite and ONNX."""
import rooms  # noqa: F401

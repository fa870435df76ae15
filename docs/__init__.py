"""The program that draws the figures: python3 -m docs.figures."""
import rooms  # noqa: F401

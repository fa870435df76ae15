"""The program that draws the figures: python3 -m docs.figures."""

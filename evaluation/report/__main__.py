"""The command python3 -m evaluation.report."""
from evaluation.report import main
from utils.script import run

run(main)

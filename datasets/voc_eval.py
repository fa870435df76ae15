"""python3 -m datasets.voc_eval is the published name of the command in evaluation.voc_files."""
from evaluation.voc_files import main
from utils.script import run

if __name__ == '__main__':
    run(main)

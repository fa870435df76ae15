"""The door to `evaluation.voc`, under the name by which its command is known: python3 -m datasets.voc_eval --help."""
from evaluation.voc_files import main
from utils.script import run

if __name__ == '__main__':
    run(main)

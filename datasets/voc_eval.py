"""python3 -m datasets.voc_eval is the published name of the command in evaluation.voc_files."""
from utils.script import imports, run

if __name__ == '__main__':
    with imports():
        from evaluation.voc_files import main
    run(main)

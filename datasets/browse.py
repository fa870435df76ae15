"""python3 -m datasets.browse is the published name of the command in detection.browse."""
from utils.script import imports, run

if __name__ == '__main__':
    with imports():
        from detection.browse import main
    run(main)

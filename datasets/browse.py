"""python3 -m datasets.browse is the published name of the command in detection.browse."""
from utils.script import quiet, run

if __name__ == '__main__':
    with quiet():
        from detection.browse import main
    run(main)

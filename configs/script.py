"""What all scripts share: a user's mistake ends in one line and exit code 2, an interruption in one line and 130."""
import sys

from configs.errors import UserError


def run(main):
    """Calls main() and ends the process with its result as exit code (None: 0)."""
    try:
        code = main()
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        code = 130
    sys.exit(code)

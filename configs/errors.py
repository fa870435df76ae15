"""The one exception that scripts show to a user as a single line."""


class UserError(Exception):
    """A mistake of the user's that one line explains: what is wrong, with the value, and the way out. Exit code 2."""

"""A user's mistake, without any other import: what refuses a command line loads nothing more."""


class InputError(ValueError):
    """A user's mistake, said in one sentence: what was found, what was expected, what to do.

    Command lines print it without a traceback and end with exit status 2.
    """

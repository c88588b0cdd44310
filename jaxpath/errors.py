"""How a command ends before its work is done, without any other import: refusing one loads nothing more."""


class InputError(ValueError):
    """A user's mistake, said in one sentence: what was found, what was expected, what to do.

    Command lines print it without a traceback and end with exit status 2.
    """


class TrainingDiverged(RuntimeError):
    """The loss, the gradient or the update is no longer a finite number."""

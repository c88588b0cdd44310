"""How a command ends before its work is done, without any other import: refusing one loads nothing more."""


class InputError(ValueError):
    """A user's mistake, said in one sentence: what was found, what was expected, what to do.

    Command lines print it without a traceback and end with exit status 2.
    """


def not_installed(use: str, name: str, packages: str, *, otherwise: str = "") -> InputError:
    """The error of what needs packages that jaxpath does not require.

    Args:
        use: What was asked for.
        name: What it needs, as people call it.
        packages: What ``pip install`` takes; not an extra of jaxpath, which pip finds in its checkout only.
        otherwise: What else may be done.

    >>> print(not_installed("reading a.pth", "PyTorch", "torch", otherwise="convert the file"))
    reading a.pth needs PyTorch, which is not installed; pip install torch, or convert the file
    """
    choice = f", or {otherwise}" if otherwise else ""
    return InputError(f"{use} needs {name}, which is not installed; pip install {packages}{choice}")


class TrainingDiverged(RuntimeError):
    """The loss, the gradient or the update is no longer a finite number."""

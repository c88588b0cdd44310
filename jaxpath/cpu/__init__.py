"""What only a CPU needs: forms of convolutions, pooling, settings of XLA's compiler, memory of the process.

Nothing here has to be known to read, write or train a network: :mod:`jaxpath.layers` and
:mod:`jaxpath.compiling` choose it where a program is compiled for a CPU. The environment variable
``JAXPATH_PLAIN_XLA=1`` switches all of it off; see :mod:`jaxpath.cpu.switch`.
"""

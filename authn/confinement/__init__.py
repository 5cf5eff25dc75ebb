"""A function in a process that is held: it answers questions about strangers' files, and can do nothing else.

From the caller to the file: ``confined`` takes turns and replaces processes, ``worker`` is one process as its
caller sees it; ``wire`` carries messages and ``codec`` their values; ``inside`` is the process's own end, and
``sandbox`` what holds it there. It knows neither examiners nor media.
"""

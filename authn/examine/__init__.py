"""One file in, one report out: statements, drawings and bundles; for strangers' files in a held process.

``examiner`` examines, wherever it runs; ``opening`` makes one out of settings. ``request`` is what one in a
held process is asked and answers, ``pool`` the caller's end of several, ``pooling`` a pool out of settings.
"""

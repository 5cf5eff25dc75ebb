"""One file in, one report out: in a process that is held, with statements, drawings and bundles."""

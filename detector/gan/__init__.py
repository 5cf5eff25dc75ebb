"""Training of generators: losses, the loop, files. Importing a module of it loads torch."""

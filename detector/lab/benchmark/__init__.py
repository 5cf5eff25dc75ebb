"""A benchmark that takes any detector: a program, a Python function, a table of scores, and ours."""

"""A report as people see it: text, pages, drawings. It renders, and decides nothing."""

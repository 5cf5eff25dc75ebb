"""A device's own side: its key, its enrolment."""

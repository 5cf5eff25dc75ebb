"""Enrolling a device: what the operator accepts, what is asked, who may ask, and what is issued."""

"""Certificates: those this house makes, its time-stamp authority and clock, and the roots of others."""

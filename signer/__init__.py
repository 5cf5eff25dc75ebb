"""The capture side: keys, claims, credentials, time-stamps. It knows whether the mathematics holds.

Importing this package loads neither torch, Flask nor NumPy.
"""

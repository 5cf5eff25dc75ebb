"""The application: authentication of media and devices. It knows whether to believe the mathematics."""

__version__ = "0.1.0"

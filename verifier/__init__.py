"""Machine-checkable statements about loss landscapes of neural networks."""

__version__ = "0.1.0"

"""Networks of the demo models: a one-class anchor-free detector and a small OSNet embedder."""

from model_builder.architectures.detector import PersonDetector
from model_builder.architectures.osnet import OSNetEmbedder

__all__ = ["OSNetEmbedder", "PersonDetector"]

"""The panel: people, their years and their lists."""

from leoreturns.panel.panel import Panel
from leoreturns.panel.schema import Column, Key, Schema

__all__ = ["Column", "Key", "Panel", "Schema"]

"""The version, alone in a file so that packaging can read it without importing the package."""

from __future__ import annotations

__version__ = "1.0.0.dev0"

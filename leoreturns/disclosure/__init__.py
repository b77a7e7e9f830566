"""The door: protection of results, and the only code that writes a release."""

from leoreturns.disclosure.bundle import Released, release
from leoreturns.disclosure.policy import POLICIES, Policy

__all__ = ["POLICIES", "Policy", "Released", "release"]

"""The one loader of rules: metadata, test and examples, refused with the place that is wrong."""

from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.rule import Rule

__all__ = ["Rule", "Rulebook"]

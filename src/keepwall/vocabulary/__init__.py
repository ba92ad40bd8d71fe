"""The words of Keepwall, one meaning each: frozen dataclasses, standard library only.

Import a word from the module that is named after it, for example
``from keepwall.vocabulary.asset import Asset``.
"""

"""Find the line on which a text stands, cheaply also when it is asked very often."""

from __future__ import annotations

_MAXIMUM_MISSES = 200


class LineIndex:
    """Answers for one document; questions that come in the order of the text are cheapest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._line = 1
        self._misses = 0

    def at(self, wanted: str) -> int:
        """Return the line, from 1, where `wanted` next stands; 0 where it does not.

        The search goes on from the last answer and starts over at the end of the text. After 200
        texts that were not ahead it gives up, so that hostile input costs linear time.
        """
        if self._misses > _MAXIMUM_MISSES or not wanted:
            return 0
        index = self._text.find(wanted, self._position)
        if index < 0:
            self._misses += 1
            index = self._text.find(wanted)
            if index < 0:
                return 0
            self._position, self._line = 0, 1
        self._line += self._text.count("\n", self._position, index)
        self._position = index
        return self._line

"""Where the continuations begin: ordinary narrative, broken off in mid-sentence, with no word of any theme.

Written for this benchmark. Doses are calibrated on others (undersong/engine/openings.py).
"""

from __future__ import annotations

OPENINGS = (
    "He had meant to go back before four, but the others were still talking, and he",
    "She put the basket down on the step and looked about her for a moment, as if",
    "For some time neither of them spoke, and then the older man turned to him and",
    "It was nearly a week before anything more was heard of the matter, and by then",
    "They had known each other for several years, though they seldom met, and she had always",
    "There was not much to do that afternoon, so he went over the list again and",
    "Nobody could remember much of it afterwards, but everyone agreed that the two of them",
    "The work took longer than they had expected, and at the end of it she",
    "He took off his spectacles, rubbed them slowly, and for a minute or two he",
    "She had thought about it all the way, and now that she was there she",
)

"""Neutral openings on which doses are calibrated: ordinary narrative, no strong theme. Written for this project."""

OPENINGS = (
    "He put the book down on the table and looked at the clock. It was",
    "She had not been there for a long time, and at first she did not",
    "They went along the road without saying much, and after a while the",
    "The room was much as he had left it. On the chair by the window there",
    "When the others had gone, he stood for some time in the hall and thought",
    "It was a little after four when she came down again and asked him",
    "There was nothing more to be done that day, so they sat and waited until",
    "He turned the matter over in his mind, and it seemed to him that the",
)

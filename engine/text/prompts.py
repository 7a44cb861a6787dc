"""What the bundled model was trained to be asked, word for word.

The training recipe and the runtime both take them from here: a small model knows only the wording
that it has seen. SUMMARISE and SUMMARISE_ON end a user turn that begins with the text itself.
"""

SUMMARISE = "Summarise the text above."
SUMMARISE_ON = (
    "The summary so far: {summary}\nSummarise the text above, carrying on from the summary so far."
)

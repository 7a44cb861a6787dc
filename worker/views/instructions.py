"""What the model is asked, in the wording that it understands best."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import prompts


@dataclass(frozen=True)
class Instructions:
    """`summarise_on` has a place for {summary}, `ask` for {question}."""

    summarise: str
    summarise_on: str
    ask: str


# The bundled model was trained on these words and knows no others.
BUNDLED = Instructions(
    summarise=prompts.SUMMARISE,
    summarise_on=prompts.SUMMARISE_ON,
    ask="{question}",
)

INSTRUCT = Instructions(
    summarise=(
        "The text above is a live transcript that is still going on. Summarise what is said in it "
        "in a few plain sentences: topics, decisions, names, numbers, open questions. Write the "
        "summary only."
    ),
    summarise_on=(
        "The text above is a live transcript that is still going on. The summary so far:\n"
        "{summary}\n\nWrite the summary anew so that it covers the summary so far and what is new "
        "in the text, in a few plain sentences: topics, decisions, names, numbers, open questions. "
        "Write the summary only."
    ),
    ask=(
        "The text above is a live transcript that is still going on. Answer from it, briefly: "
        "{question}"
    ),
)


def instructions_for(model: str) -> Instructions:
    return BUNDLED if model == "bundled" else INSTRUCT

"""What the model is asked, in the wording that it understands best."""

from __future__ import annotations

from dataclasses import dataclass

from engine.text import prompts


@dataclass(frozen=True)
class Instructions:
    """`summarise_on` has a place for {summary}, `ask` for {question}, `ask_with` for {said} too;
    "" if the model does not know what to do with that."""

    summarise: str
    summarise_on: str
    ask: str
    ask_with: str

    def asking(self, question: str, said: str) -> str:
        wording = self.ask_with if said and self.ask_with else self.ask
        return wording.format(question=question, said=said)


# The bundled model was trained on these words and knows no others.
BUNDLED = Instructions(
    summarise=prompts.SUMMARISE,
    summarise_on=prompts.SUMMARISE_ON,
    ask="{question}",
    ask_with="",
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
    ask_with=(
        "The text above is a live transcript that is still going on. These lines of it, some of "
        "them said long ago, may help:\n{said}\n\nAnswer from the text and these lines, briefly; "
        "if they do not say it, write that it was not said: {question}"
    ),
)


def instructions_for(model: str) -> Instructions:
    return BUNDLED if model == "bundled" else INSTRUCT

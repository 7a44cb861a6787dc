"""The recipe of the bundled model: text in a folder -> tokenizer -> samples -> weights -> card.

corpus.py      a folder of text -> documents and passage/summary pairs, some held out
tokenizer.py   byte-level BPE and the chat template
restore.py     samples: raw words -> punctuated, cased words
summaries.py   samples: passage -> summary
prepare.py     everything as token arrays on disk
batches.py     (seed, step) -> one batch
train.py       the loop: a time budget, checkpoints, a log
export.py      a folder that transformers loads
evaluate.py    the figures of the model card

Beside it: plain.py writes the texts as plain files for `weir eval`, and lines.py trains a model for
`weir eval lines` that is not shipped.
"""

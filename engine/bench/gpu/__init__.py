"""`weir bench --gpu`: how much of a card the engine uses, and whether it is right there.

ceilings.py measures what the card can do, costs.py counts what a model must do, and feeding.py and
decoding.py say how near the engine comes; recomputing.py is the paper's own comparison, and
exactness.py holds the card's answers against the processor's. shapes.py are the models, with random
weights. run.py is the whole story, and ledger.py keeps what was measured. With `--device cpu` all
of it runs on tiny models: a rehearsal, whose figures mean nothing.
"""

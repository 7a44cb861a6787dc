"""Who takes part in the next step, in which row, with how many tokens: the brain of the engine.

Integers only: nothing here loads torch, and all of it is tested in milliseconds.
"""

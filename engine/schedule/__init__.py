"""Which sessions take part in the next step, in which row, with how many tokens.

Integers only: nothing here loads torch, and all of it is tested in milliseconds.
"""

"""The measures of `weir eval`, one per file: what a file has is told in worker/commands.

An error of the engine is the group's business: worker/commands/eval.py makes one line of it.
"""

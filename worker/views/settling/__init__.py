"""Which words of what recognisers rewrite are settled: words, where they align, when they close.

Pure: no Redis, no engine, no clock. The state is frozen values; what was handed out for a commit
never changes afterwards.
"""

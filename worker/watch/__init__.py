"""What a worker shows of itself: every metric, `/metrics` and `/healthz`.

It is told what happened and asks nobody.
"""

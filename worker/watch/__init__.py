"""What a worker shows of itself: every metric, `/metrics`, `/livez`, `/readyz` and `/healthz`.

It is told what happened and asks nobody.
"""

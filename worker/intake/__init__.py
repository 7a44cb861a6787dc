"""From entry to window: what may come in, how lines are fed, when a summary must come first.

Pure: no Redis, no Celery, no torch, no engine. The floor under sources, streams and views.
"""

"""The life of one stream in its owner: from entries that arrived to commits that are ready.

One thread owns it; it knows no other stream, no lease and no Celery.
"""

"""The Celery worker process: what starts and stops in it, its messages, and the engine's thread.

The only room that knows Celery; a message is a hint, the truth is in Redis.
"""

"""What each recogniser writes to a file of JSON: how it is known, and the speech in it.

Each file has `is_it(document)` and `rows(document)`. What is not as the service documents it is
passed over; nothing here raises.
"""

"""What a model makes of a stream: the measures behind `weir eval`.

perplexity.py compares policies over one text, sinks.py numbers of sinks; both read text as texts.py
cuts it and judge it as reading.py counts it. retrieval.py asks for lines of an endless record.
"""

"""The commands of `weir`: what each is for. Pure.

A variable that begins with a command's name, such as WEIR_PUBLISH_RATE, is an option of it.
"""

COMMANDS = {
    "demo": "the whole path on this machine, with nothing to set up",
    "worker": "run a worker: read streams, write transcripts, summaries, notes and memory figures",
    "publish": "publish text to a stream, from a file or standard input",
    "tail": "show a stream's transcript, summaries and notes as they come",
    "export": "write a stream's transcript as a file: text, captions, JSON",
    "notes": "what is worth noting of a stream, with where it was said",
    "streams": "every stream: owner, lag, tokens, window, memory, last summary",
    "drain": "empty a worker: it hands its streams to the others",
    "exporter": "serve lag and state of all streams to Prometheus, from Redis itself",
    "ask": "ask a question about a stream; the answer comes with where it was said",
    "flush": "bring a stream's transcript and summary up to date now",
    "close": "end a stream: last summary, then no owner any more",
    "restore": "give raw text capitals and marks, line by line",
    "model": "models by name: add one, list them, remove one",
    "plan": "what a model needs here, for so many streams: bytes, formats, speed",
    "chat": "chat with a model here, for as long as you like, at level memory",
    "bench": "measure the engine's speed on this machine",
    "eval": "measure a model: `weir eval` lists what can be measured",
}

"""`weir bench --peers`: the engine beside those who do the same work, the same weights in all.

Each peer lives in a virtual environment of its own (environment.py) and works in a process of its
own: channel.py is our end of the line, serve.py theirs. attention_sinks_peer.py and
llama_cpp_peer.py run over there and load nothing heavy of ours; weights.py and gguf_file.py bring
them the model. run.py is the whole story, table.py what is printed of it.
"""

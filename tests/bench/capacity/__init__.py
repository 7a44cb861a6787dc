"""What Weir asks of a Redis server, from one stream to hundreds of thousands: measured for one,
reckoned for many. `python -m tests.bench.capacity` prints the tables of docs/growing.md."""

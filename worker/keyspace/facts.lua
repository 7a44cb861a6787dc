-- What is known of one stream, in a short reply. (input.lua is put before it.) Writes nothing.
--
-- KEYS: 1 input stream, 2 state hash, 3 lease, 4 failing, 5 requests, 6 memory, 7 summary
-- ARGV: 1 number of fields of the state, these, then fields of the last memory entry.
-- Returns an error if the input is no stream, or another key is not what it should be.

local function last_entry(key) return redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1] end

local num_fields = tonumber(ARGV[1])
local state = redis.call('HMGET', KEYS[2], unpack(ARGV, 2, 1 + num_fields))

local info = by_name(redis.call('XINFO', 'STREAM', KEYS[1]))
local lag, mark = false, ''
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = by_name(flat)
  if group['name'] == GROUP then
    lag = group['lag'] or false
    mark = mark_among(redis.call('XINFO', 'CONSUMERS', KEYS[1], GROUP))
  end
end

local memory = last_entry(KEYS[6])
local read = memory and by_name(memory[2]) or {}
local figures = {}
for i = 2 + num_fields, #ARGV do figures[#figures + 1] = read[ARGV[i]] or false end

local last, request, summary = info['last-entry'], last_entry(KEYS[5]), last_entry(KEYS[7])
return {
  state, info['last-generated-id'], info['entries-added'], last and last[1] or false, lag, mark,
  redis.call('GET', KEYS[3]), redis.call('EXISTS', KEYS[4]), request and request[1] or false,
  figures, summary and summary[1] or false,
}

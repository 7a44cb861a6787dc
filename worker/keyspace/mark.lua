-- Marks an input stream that bears no mark yet. (input.lua is put before it.)
--
-- KEYS: 1 input stream, 2 state hash. ARGV: 1 the mark that it gets if it has none.
-- Returns its mark, its last id, how many entries it has ever had and up to which id some may have
-- been trimmed or deleted; nothing if it is not there.

local input, state = KEYS[1], KEYS[2]

local stream = stream_info(input)
if not stream then return false end
local mark = mark_of(input)
if mark == '' then
  mark = ARGV[1]
  redis.pcall('XGROUP', 'CREATE', input, GROUP, '0', 'ENTRIESREAD', 0)
  redis.call('XGROUP', 'CREATECONSUMER', input, GROUP, mark)
end
-- What is read before the first commit is told although the input is deleted meanwhile.
if redis.call('HEXISTS', state, 'num_commits') == 0 then redis.call('HSET', state, 'input', mark) end
return { mark, stream['last-generated-id'], stream['entries-added'], removed_until(stream) }

-- One commit: outputs and progress move together or not at all. (input.lua is put before it.)
--
-- KEYS: 1 state hash, 2 lease, 3 input stream, 4... output streams
-- ARGV: 1 owner, 2 epoch, 3 lease in ms, 4 commit id,
--       5 entry id and 6 commit count that the state must still have,
--       7 number of names and values of the new checkpoint, then these,
--       then per output: index into KEYS, maxlen (0: none), number of names and values, then these.
-- Returns 'committed', 'repeated' (this very commit was made before; nothing is done again),
-- or the reason of a refusal: 'epoch', 'checkpoint', 'input', 'beyond'.

local state, lease, input = KEYS[1], KEYS[2], KEYS[3]
local owner, epoch, lease_ms, commit_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local known = redis.call(
  'HMGET', state, 'epoch', 'owner', 'commit_id', 'entry_id', 'num_commits', 'input', 'entries_read'
)
if known[3] == commit_id then return 'repeated' end
if known[1] ~= epoch or known[2] ~= owner then return 'epoch' end
if (known[4] or '0-0') ~= ARGV[5] or (known[5] or '0') ~= ARGV[6] then return 'checkpoint' end

local at = 7
-- The next counted run of arguments; moves `at` behind it.
local function take()
  local first = at + 1
  at = first + tonumber(ARGV[at])
  return unpack(ARGV, first, at - 1)
end

local names = { take() }
local checkpoint = {}
for i = 1, #names, 2 do checkpoint[names[i]] = names[i + 1] end

-- What was read must be of this input, and still be in it: a server that has lost its last entries
-- will have others after those that are left. An input that was deleted has no more to say: what
-- was read of it before is told to its end.
local stream = stream_info(input)
local mark = stream and mark_of(input) or known[6] or ''
if checkpoint['input'] ~= mark then return 'input' end
if stream and is_after(checkpoint['entry_id'], stream['last-generated-id']) then return 'beyond' end

-- Others may have come after those that are left: as many entries must lie between the last commit
-- and this one as were read. Where some were trimmed or deleted meanwhile, that cannot be told.
local function lacks_entries()
  local before, after = known[4] or '0-0', checkpoint['entry_id']
  local num_read = tonumber(checkpoint['entries_read']) - tonumber(known[7] or 0)
  if num_read < 1 or is_after(removed_until(stream), before) then return false end
  return #redis.call('XRANGE', input, '(' .. before, after, 'COUNT', num_read) < num_read
end
if stream and lacks_entries() then return 'beyond' end

-- A script is not undone when a command in it fails (a key is no stream, or has had the last
-- possible id): what was added before is taken away again, and nobody has seen it.
local added = {}
while ARGV[at] do
  local key, maxlen = KEYS[tonumber(ARGV[at])], tonumber(ARGV[at + 1])
  at = at + 2
  local id
  if maxlen > 0 then
    id = redis.pcall('XADD', key, 'MAXLEN', '~', maxlen, '*', take())
  else
    id = redis.pcall('XADD', key, '*', take())
  end
  if type(id) == 'table' then
    for _, one in ipairs(added) do redis.call('XDEL', one[1], one[2]) end
    return redis.error_reply(id.err .. ' (' .. key .. ')')
  end
  added[#added + 1] = { key, id }
end
redis.call('HSET', state, 'commit_id', commit_id, unpack(names))
redis.call('SET', lease, owner, 'PX', lease_ms)

-- The group is there to be looked at, too: XINFO GROUPS shows the lag.
if stream and mark ~= '' then
  local entry_id = checkpoint['entry_id']
  local num_read = math.min(tonumber(checkpoint['entries_read']), stream['entries-added'])
  if entry_id == stream['last-generated-id'] then num_read = stream['entries-added'] end
  redis.call('XGROUP', 'SETID', input, GROUP, entry_id, 'ENTRIESREAD', num_read)
end
return 'committed'

-- What the scripts know of an input stream. Its mark is the name of a consumer in our group: it
-- lives and dies with the key, through restarts, failovers, renames and dumps.

local GROUP = 'weir:cursor'

-- A flat list of names and values, by name.
local function by_name(flat)
  local named = {}
  for i = 1, #flat, 2 do named[flat[i]] = flat[i + 1] end
  return named
end

-- XINFO STREAM by name; nil if the key is not there, or is no stream.
local function stream_info(key)
  local flat = redis.pcall('XINFO', 'STREAM', key)
  if flat.err then return nil end
  return by_name(flat)
end

local function mark_among(consumers)
  for _, consumer in ipairs(consumers) do
    if string.find(consumer[2], 'mark:', 1, true) == 1 then return consumer[2] end
  end
  return ''
end

-- '' if nobody has marked the stream.
local function mark_of(key)
  local consumers = redis.pcall('XINFO', 'CONSUMERS', key, GROUP)
  if consumers.err then return '' end
  return mark_among(consumers)
end

-- Whether decimal number `a` is larger than `b`: ids have 64 bits, more than Lua's numbers.
local function is_larger(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

local function is_after(id, other)
  local a_ms, a_seq = string.match(id, '(%d+)-(%d+)')
  local b_ms, b_seq = string.match(other, '(%d+)-(%d+)')
  if a_ms ~= b_ms then return is_larger(a_ms, b_ms) end
  return is_larger(a_seq, b_seq)
end

-- The id up to which entries that were read may be gone because somebody trimmed or deleted them.
local function removed_until(stream)
  if stream['length'] == stream['entries-added'] then return '0-0' end
  local first, deleted = stream['first-entry'], stream['max-deleted-entry-id']
  local oldest = first and first[1] or stream['last-generated-id']
  if is_after(deleted, oldest) then return deleted end
  return oldest
end

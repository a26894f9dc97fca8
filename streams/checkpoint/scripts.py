"""What Redis runs for a checkpoint: scripts that compare the owner's token first, and write nothing for a stale one.

A script holds up everyone else, so what is large is written in pieces: join entries a thousand at a time, ahead of the
snapshots that need them (`driftline.models.join` tells why that is safe). A script that fails does not take back what
it has written: types are looked at before the first write. Writing the same twice is as once, because the answer of a
script may be lost.
"""

from __future__ import annotations

from typing import Final

CLAIM: Final = """
local before = redis.call('GET', KEYS[1])
local epoch = tonumber(string.match(before or '', '^%d+')) or 0
local token = string.format('%d-%s', epoch + 1, ARGV[1])
redis.call('SET', KEYS[1], token)
return token
"""
"""KEYS: owner. ARGV: a random part, because the epoch alone can repeat after a fail-over. Returns the new token."""

JOIN: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last = 2 + 2 * tonumber(ARGV[2])
if last > 2 then redis.call('HSET', KEYS[2], unpack(ARGV, 3, last)) end
if last < #ARGV then redis.call('HDEL', KEYS[2], unpack(ARGV, last + 1)) end
return 1
"""
"""KEYS: owner, join. ARGV: token, number of entries, key and entry of each, keys to delete. Returns 1, 0 for a stale
owner."""

CHECKPOINT: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i, kind in ipairs({'string', 'hash', 'hash', 'hash', 'hash', 'hash', 'hash', 'hash'}) do
  local found = redis.call('TYPE', KEYS[i + 1]).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE the key ' .. KEYS[i + 1] .. ' is not a ' .. kind)
  end
end
local at = 4
for _ = 1, tonumber(ARGV[3]) do
  local model, snapshot = ARGV[at], ARGV[at + 1]
  local newest = redis.call('HGET', KEYS[3], model)
  if newest and newest ~= snapshot and ARGV[at + 4] == '0' then redis.call('HSET', KEYS[4], model, newest) end
  redis.call('HSET', KEYS[3], model, snapshot)
  redis.call('HSET', KEYS[5], model, ARGV[at + 2])
  redis.call('HSET', KEYS[6], model, ARGV[at + 3])
  at = at + 5
end
for key = 7, 9 do
  local last = at + 2 * tonumber(ARGV[at])
  for i = at + 1, last, 2 do redis.call('HSET', KEYS[key], ARGV[i], ARGV[i + 1]) end
  at = last + 1
end
for i = at, #ARGV do redis.call('HDEL', KEYS[9], ARGV[i]) end
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""
"""KEYS: owner, position, snapshots, before, state, overview, series, columns, outbox. ARGV: token, position, number of
models; id, snapshot, state document and overview of each model, and 1 if its newest snapshot is damaged, else 0; of
rows, of names of metrics and of the outbox, how many there are, and field and value of each; numbers to delete from the
outbox. Returns 1, 0 for a stale owner."""

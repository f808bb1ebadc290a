//! The scripts of the home. Redis runs each as one step.

/// The beginning of each script that writes: it refuses a writer whose log was taken.
///
/// A log without an epoch was lost with its server's memory, and nobody else took it. The writer gets its lease again at once: until the
/// next renewal, another process could take the log from it.
macro_rules! under_lease {
    ($write:literal) => {
        concat!(
            "
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if ARGV[1] ~= '0' and epoch and epoch ~= ARGV[1] then return {'lost', 0} end
if ARGV[1] ~= '0' and not epoch then
    local over = redis.call('TIME')[1] * 1000 + ARGV[6]
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'until', string.format('%.0f', over))
end
",
            $write
        )
    };
}

/// Keys: the log, the file, the log's names, the logs. Arguments: epoch (0 for none), offset, bytes, name, log, the lease in milliseconds.
pub(super) const APPEND: &str = under_lease!(
    "local length = redis.call('STRLEN', KEYS[2])
if length ~= tonumber(ARGV[2]) then return {'elsewhere', length} end
redis.call('SADD', KEYS[4], ARGV[5])
redis.call('SADD', KEYS[3], ARGV[4])
redis.call('APPEND', KEYS[2], ARGV[3])
return {'done', length}"
);

/// Keys and arguments as of `APPEND`.
pub(super) const REPLACE: &str = under_lease!(
    "redis.call('SADD', KEYS[4], ARGV[5])
redis.call('SADD', KEYS[3], ARGV[4])
redis.call('SET', KEYS[2], ARGV[3])
return {'done', 0}"
);

/// Keys: the file, the log's names. Arguments: name, first byte, the byte behind the last one.
pub(super) const READ: &str = "
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then return false end
if ARGV[2] == ARGV[3] then return '' end
return redis.call('GETRANGE', KEYS[1], ARGV[2], string.format('%.0f', tonumber(ARGV[3]) - 1))";

/// Keys: the log, the logs. Arguments: the lease and the server's uptime in milliseconds, log.
///
/// A server that was just started may have been away for longer than a lease: its holders get the time to renew theirs. An epoch is never
/// used twice, also if the server lost its memory: it is at least the time in microseconds.
pub(super) const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local over = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if over > now or (over > 0 and tonumber(ARGV[2]) < tonumber(ARGV[1])) then return false end
local epoch = math.max(tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0') + 1, time[1] * 1000000 + time[2])
epoch = string.format('%.0f', epoch)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'until', string.format('%.0f', now + ARGV[1]))
redis.call('SADD', KEYS[2], ARGV[3])
return epoch";

/// Keys as of `TAKE`. Arguments: the lease in milliseconds, epoch, log.
pub(super) const RENEW: &str = "
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[2] then return false end
local time = redis.call('TIME')
local over = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'until', string.format('%.0f', over))
redis.call('SADD', KEYS[2], ARGV[3])
return ARGV[2]";

/// Keys as of `TAKE`. Argument: epoch.
pub(super) const RELEASE: &str = "
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
redis.call('HSET', KEYS[1], 'until', '0')
return ARGV[1]";

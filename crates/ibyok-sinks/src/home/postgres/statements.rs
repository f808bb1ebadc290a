//! The statements of the home. Each is one transaction, and one answer of the server.

/// The epoch of a writer that has not taken the log. No lease has it.
pub(super) const NO_LEASE: i64 = 0;

/// The end of a file: the last part says where it is, without reading the others.
const END: &str = "(SELECT p.at + octet_length(p.bytes) FROM {s}.parts p WHERE p.log = $1 AND p.file = $2 ORDER BY p.at DESC LIMIT 1)";

/// True if an acknowledged commit survives a loss of power, asked with the write itself: settings change while a server runs.
const SAFE: &str = "current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on'
    AND current_setting('synchronous_commit') <> 'off' AND NOT pg_is_in_recovery()
    AND (SELECT bool_and(relpersistence = 'p') FROM pg_class WHERE oid IN (to_regclass('{s}.parts'), to_regclass('{s}.logs')))";

/// The row of the log, if the writer has it. The lock keeps the log from being taken before this transaction ends.
const HELD: &str = "held AS (SELECT 1 FROM {s}.logs WHERE log = $1 AND ({e} = 0 OR epoch = {e}) FOR SHARE)";

/// Of two writers at one place, the primary key lets one win. An empty part marks an empty file and gives way.
const APPEND: &str = "
    WITH {held}, ends AS (SELECT coalesce({end}, 0) AS length),
    kept AS (
        INSERT INTO {s}.parts (log, file, at, bytes) SELECT $1, $2, $3, $5 FROM held, ends WHERE ends.length = $3
        ON CONFLICT (log, file, at) DO UPDATE SET bytes = EXCLUDED.bytes WHERE octet_length(parts.bytes) = 0
        RETURNING 1)
    SELECT EXISTS (SELECT FROM held) AS held, EXISTS (SELECT FROM kept) AS done,
        (SELECT length FROM ends)::bigint AS length, {safe} AS is_safe";

const REPLACE: &str = "
    WITH {held},
    gone AS (DELETE FROM {s}.parts WHERE log = $1 AND file = $2 AND at > 0 AND EXISTS (SELECT FROM held)),
    kept AS (
        INSERT INTO {s}.parts (log, file, at, bytes) SELECT $1, $2, 0, $4 FROM held
        ON CONFLICT (log, file, at) DO UPDATE SET bytes = EXCLUDED.bytes
        RETURNING 1)
    SELECT EXISTS (SELECT FROM held) AS held, EXISTS (SELECT FROM kept) AS done, 0::bigint AS length, {safe} AS is_safe";

/// The parts that touch the bytes from `$3` to `$4`, and the part behind them, of which only the place is needed.
const READ: &str = "
    SELECT at, octet_length(bytes)::bigint AS size,
        CASE WHEN at < $4 THEN substring(bytes FROM greatest($3 - at, 0)::int + 1
            FOR greatest(least(octet_length(bytes), $4 - at) - greatest($3 - at, 0), 0)::int) ELSE ''::bytea END AS bytes,
        {end}::bigint AS length
    FROM {s}.parts WHERE log = $1 AND file = $2
        AND at >= coalesce((SELECT max(at) FROM {s}.parts WHERE log = $1 AND file = $2 AND at <= $3), 0)
        AND at <= coalesce((SELECT min(at) FROM {s}.parts WHERE log = $1 AND file = $2 AND at >= $4), 9223372036854775807)
    ORDER BY at";

/// Each step takes the next name from the index, so that the time depends on the files and not on their parts.
const FILES: &str = "
    WITH RECURSIVE names AS (
        SELECT min(file) AS name FROM {s}.parts WHERE log = $1
        UNION ALL SELECT (SELECT min(file) FROM {s}.parts WHERE log = $1 AND file > name) FROM names WHERE name IS NOT NULL)
    SELECT name AS file, (SELECT p.at + octet_length(p.bytes) FROM {s}.parts p WHERE p.log = $1 AND p.file = name
        ORDER BY p.at DESC LIMIT 1)::bigint AS length
    FROM names WHERE name IS NOT NULL";

/// A server that was just started may have been away for longer than a lease: its holders get the time to renew theirs.
const TAKE: &str = "
    INSERT INTO {s}.logs (log, epoch, held_until) VALUES ($1, 1, clock_timestamp() + make_interval(secs => $2))
    ON CONFLICT (log) DO UPDATE SET epoch = logs.epoch + 1, held_until = EXCLUDED.held_until
    WHERE logs.held_until = '-infinity' OR (logs.held_until < clock_timestamp()
        AND pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => $2))
    RETURNING epoch";

const RENEW: &str = "
    UPDATE {s}.logs SET held_until = clock_timestamp() + make_interval(secs => $3) WHERE log = $1 AND epoch = $2 RETURNING 1";

const RELEASE: &str = "UPDATE {s}.logs SET held_until = '-infinity' WHERE log = $1 AND epoch = $2";

const BEGIN: &str = "INSERT INTO {s}.logs (log, epoch, held_until) VALUES ($1, 0, '-infinity') ON CONFLICT DO NOTHING";

const LOGS: &str = "SELECT log FROM {s}.logs ORDER BY log";

/// The statements for one schema.
pub(super) struct Statements {
    pub(super) append: String,
    pub(super) begin: String,
    pub(super) files: String,
    pub(super) logs: String,
    pub(super) read: String,
    pub(super) release: String,
    pub(super) renew: String,
    pub(super) replace: String,
    pub(super) take: String,
}

impl Statements {
    /// `schema` has only letters, digits, `_` and `-`.
    pub(super) fn of(schema: &str) -> Self {
        let schema = format!("\"{schema}\"");
        let fill = |text: &str, epoch: &str| {
            let text = text
                .replace("{held}", HELD)
                .replace("{end}", END)
                .replace("{safe}", SAFE);
            text.replace("{e}", epoch).replace("{s}", &schema)
        };
        Self {
            append: fill(APPEND, "$4"),
            begin: fill(BEGIN, ""),
            files: fill(FILES, ""),
            logs: fill(LOGS, ""),
            read: fill(READ, ""),
            release: fill(RELEASE, ""),
            renew: fill(RENEW, ""),
            replace: fill(REPLACE, "$3"),
            take: fill(TAKE, ""),
        }
    }
}

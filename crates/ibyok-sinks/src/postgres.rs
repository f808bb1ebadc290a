//! Lines in a table of PostgreSQL.

use std::fmt;
use std::str::FromStr as _;

use ibyok_audit::{Batch, Error as LogError, Sink, SinkDescription, SinkDurability};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::error::Error;
use crate::lane::Lane;
use crate::last_check::LastCheck;
use crate::place;

/// The form of a URL, for hints.
const FORM: &str =
    "use `postgres://user@host:5432/database?sslmode=verify-full`, with `schema` and the parameters of the driver";

/// The parameters of the driver.
const DRIVER: [&str; 8] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "host",
    "user",
    "password",
];

/// The schema of the table, if the URL names none.
const SCHEMA: &str = "ibyok_audit";

/// The lines and the bytes of one statement, at most.
const LINES: usize = 5000;
const BYTES: usize = 8 << 20;

/// Settings that hold for this session only.
const SETTLE: &str = "
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                      ELSE current_setting('synchronous_commit') END, false),
           set_config('statement_timeout', '2500', false), set_config('lock_timeout', '2500', false)";

/// The facts that decide whether a commit is on the disk. The last one is true for a table that does not exist.
const CHECK: &str = "
    SELECT pg_is_in_recovery(), current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on',
           coalesce((SELECT relpersistence = 'p' FROM pg_class WHERE oid = to_regclass($1)), true)";

/// Writes each line as a row of the table `lines`: `log`, `seq`, `line` and `received`.
///
/// A line that is there already is left as it is, so a batch that is sent again adds nothing. A row with another line under the same log and
/// number is an error. Role and database need `INSERT` and `SELECT` on the table, and `CREATE` only if it does not exist.
pub struct PostgresSink {
    name: String,
    options: PgConnectOptions,
    schema: String,
    must_sync: bool,
    lane: Lane,
    link: Option<Link>,
}

impl PostgresSink {
    /// Checks the URL. Connects only when there are lines. With `must_sync`, the sink acknowledges durability and refuses a server that does
    /// not sync its commits (`fsync`, `full_page_writes`), and a table that is `UNLOGGED`. The sink reads these settings again once a second.
    ///
    /// # Errors
    /// Fails for a URL that is not `postgres://USER@HOST[:PORT]/DATABASE`.
    pub fn new(url: &str, must_sync: bool) -> Result<Self, Error> {
        let location = Location::parse(url)?;
        Ok(Self {
            name: location.name,
            options: location.options,
            schema: location.schema,
            must_sync,
            lane: Lane::default(),
            link: None,
        })
    }
}

/// The schema that a URL names.
pub(crate) struct Location {
    /// Scheme, host and port, for people.
    pub(crate) name: String,
    pub(crate) options: PgConnectOptions,
    pub(crate) schema: String,
}

impl Location {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let mut url = place::parse(url, FORM)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(Error::new("the URL of PostgreSQL has another scheme", FORM));
        }
        let schema = place::plain_name(
            "schema",
            place::take(&mut url, "schema").unwrap_or_else(|| SCHEMA.to_owned()),
        )?;
        place::refuse_others(&url, &DRIVER, FORM)?;
        // The driver's error may repeat a part of the URL.
        let options = PgConnectOptions::from_str(url.as_str());
        let options = options.map_err(|_| Error::new("the URL of PostgreSQL is not valid", FORM))?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("ibyok-audit"),
        };
        Ok(Self {
            name: place::shown(&url),
            options: options.disable_statement_logging(),
            schema,
        })
    }

    /// Returns the name with the database in it.
    pub(crate) fn with_database(&self) -> String {
        format!("{}/{}", self.name, self.options.get_database().unwrap_or_default())
    }
}

/// A connection, and the time at which its server's settings were read.
struct Link {
    connection: PgConnection,
    checked: LastCheck,
}

/// Connects, and makes the table if it does not exist.
async fn connect(options: &PgConnectOptions, schema: &str, must_sync: bool) -> Result<Link, LogError> {
    let mut connection = options.connect().await.map_err(LogError::other)?;
    let settled = sqlx::query(SETTLE).execute(&mut connection).await;
    settled.map_err(LogError::other)?;
    let mut checked = LastCheck::default();
    checked.repeat(check(&mut connection, schema, must_sync)).await?;
    let exists = sqlx::query_scalar::<_, bool>("SELECT to_regclass($1) IS NOT NULL").bind(table(schema));
    if !exists.fetch_one(&mut connection).await.map_err(LogError::other)? {
        make(&mut connection, schema).await.map_err(LogError::other)?;
    }
    Ok(Link { connection, checked })
}

/// Returns the table's name, quoted for SQL.
fn table(schema: &str) -> String {
    format!("\"{schema}\".lines")
}

/// Refuses a server that takes no lines, and for a sink that acknowledges durability one that may lose them.
async fn check(connection: &mut PgConnection, schema: &str, must_sync: bool) -> Result<(), LogError> {
    let row = sqlx::query(CHECK).bind(table(schema)).fetch_one(connection).await;
    let row = row.map_err(LogError::other)?;
    let [replica, synced, logged] = [0, 1, 2].map(|column| row.try_get::<bool, usize>(column).map_err(LogError::other));
    if replica? {
        return Err(LogError::other("it is a replica, or still recovering"));
    }
    if must_sync && !synced? {
        return Err(LogError::other(
            "the server does not sync its commits (`fsync`, `full_page_writes`), so the sink can only be best effort",
        ));
    }
    if must_sync && !logged? {
        return Err(LogError::other(
            "the table is UNLOGGED, so a crash of the server empties it and the sink can only be best effort",
        ));
    }
    Ok(())
}

/// Makes the table.
async fn make(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    let table = format!(
        "CREATE TABLE IF NOT EXISTS \"{schema}\".lines (log text NOT NULL, seq bigint NOT NULL, line text NOT NULL, \
         received timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (log, seq))"
    );
    make_tables(connection, schema, vec![table]).await
}

/// Makes a schema and its tables, in one transaction. Of several programs that begin at the same time, one makes them.
pub(crate) async fn make_tables(
    connection: &mut PgConnection,
    schema: &str,
    tables: Vec<String>,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let lock = "SELECT pg_advisory_xact_lock(hashtext('ibyok-audit'))";
    sqlx::query(lock).execute(&mut *transaction).await?;
    let schema = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
    for statement in [schema].into_iter().chain(tables) {
        // The name of the schema has only letters, digits, `_` and `-`.
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn insert(connection: &mut PgConnection, schema: &str, batch: &Batch<'_>) -> Result<(), LogError> {
    let log = batch.log().ok_or_else(|| LogError::rejected("a line names no log"))?;
    let mut lines = Vec::new();
    for line in batch.lines() {
        lines.push(std::str::from_utf8(line).map_err(LogError::other)?);
    }
    let first = i64::try_from(batch.first_seq()).map_err(LogError::other)?;
    let numbers: Vec<i64> = (first..).take(lines.len()).collect();
    let statement = format!(
        "INSERT INTO \"{schema}\".lines (log, seq, line) SELECT $1, seq, line FROM unnest($2::bigint[], $3::text[]) AS a (seq, line) \
         ON CONFLICT DO NOTHING"
    );
    let added = sqlx::query(AssertSqlSafe(statement))
        .bind(log)
        .bind(&numbers)
        .bind(&lines);
    let added = added
        .execute(&mut *connection)
        .await
        .map_err(LogError::other)?
        .rows_affected();
    if added == lines.len() as u64 {
        return Ok(());
    }
    let statement = format!(
        "SELECT count(*) FROM unnest($2::bigint[], $3::text[]) AS a (seq, line) JOIN \"{schema}\".lines l ON l.log = $1 AND l.seq = a.seq \
         WHERE l.line = a.line"
    );
    let same = sqlx::query_scalar::<_, i64>(AssertSqlSafe(statement))
        .bind(log)
        .bind(&numbers)
        .bind(&lines);
    let same = same.fetch_one(&mut *connection).await.map_err(LogError::other)?;
    match u64::try_from(same) == Ok(lines.len() as u64) {
        true => Ok(()),
        false => Err(LogError::rejected(format!(
            "the table holds other lines of the log `{log}` under the numbers from {first} on"
        ))),
    }
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Sink for PostgresSink {
    fn describe(&self) -> SinkDescription {
        let durability = match self.must_sync {
            true => SinkDurability::Synced,
            false => SinkDurability::BestEffort,
        };
        SinkDescription::new(&self.name, durability)
    }

    fn durable(&self) -> bool {
        self.must_sync
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        for part in batch.parts(LINES, BYTES) {
            // A connection whose call failed or was too late may still get the answer of that call, so it is not used again.
            let link = self.link.take();
            let (options, schema, must_sync) = (&self.options, self.schema.as_str(), self.must_sync);
            let kept = self.lane.run(async {
                let mut link = match link {
                    Some(link) => link,
                    None => connect(options, schema, must_sync).await?,
                };
                let recheck = check(&mut link.connection, schema, must_sync);
                link.checked.repeat(recheck).await?;
                insert(&mut link.connection, schema, &part).await?;
                Ok(link)
            })?;
            self.link = Some(kept);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        // Each statement is a commit of its own.
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        let Some(link) = self.link.take() else {
            return Ok(());
        };
        self.lane
            .run(async { link.connection.close().await.map_err(LogError::other) })
    }
}

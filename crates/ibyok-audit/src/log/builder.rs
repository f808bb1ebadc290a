//! Opening a log.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::best_effort::BestEffort;
use super::combine::Combiner;
use super::copies::Copies;
use super::group::Bell;
use super::lines::Lines;
use super::queue::Queue;
use super::required::Required;
use super::watch::Watch;
use super::writer::Writer;
use super::{LastHandle, Listeners, Log, Shared, keeper, thread, watch};
use crate::action::PrincipalKind;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::event::Principal;
use crate::key::{SigningKey, VerifyingKey};
use crate::line_key::LineKey;
use crate::sink::{LogPlace, LogSink, Sink};
use crate::statement::Statement;

/// The machine's wall clock. A time that no calendar here reaches becomes the last one that there is.
fn wall_clock() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// The clock that dates the log's own lines.
pub(super) type OwnClock = Box<dyn Fn() -> Timestamp + Send>;

/// The statement in the log's own first and last lines of a session.
pub(super) type OwnStatement = Box<dyn Fn() -> Statement + Send>;

/// The settings of a log. It wants a home and the log's signing key.
#[must_use = "a builder does nothing until it is opened"]
pub struct LogBuilder {
    home: Option<Box<dyn LogSink>>,
    required: Vec<Box<dyn Sink>>,
    best_effort: Vec<Box<dyn Sink>>,
    key: Option<SigningKey>,
    lines: Option<LineKey>,
    principal: Principal<'static>,
    deadline: Duration,
    clock: OwnClock,
    statement: OwnStatement,
    listeners: Listeners,
}

impl Default for LogBuilder {
    fn default() -> Self {
        Self {
            home: None,
            required: Vec::new(),
            best_effort: Vec::new(),
            key: None,
            lines: None,
            principal: Principal::new(PrincipalKind::Operator),
            deadline: Duration::from_secs(5),
            clock: Box::new(wall_clock),
            statement: Box::new(Statement::default),
            listeners: Listeners::default(),
        }
    }
}

impl std::fmt::Debug for LogBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let home = self.home.iter().map(|home| home.describe());
        let others = self
            .required
            .iter()
            .chain(&self.best_effort)
            .map(|sink| sink.describe());
        let sinks: Vec<_> = home.chain(others).collect();
        f.debug_struct("LogBuilder")
            .field("sinks", &sinks)
            .finish_non_exhaustive()
    }
}

impl LogBuilder {
    /// Sets the sink that keeps the log, and that it is continued from: every event is there before it counts.
    pub fn home(mut self, home: impl LogSink + 'static) -> Self {
        self.home = Some(Box::new(home));
        self
    }

    /// Adds a sink in which every event must be durable, too, before it counts. After the sink failed, the log refuses every event until
    /// the sink has the pending lines.
    pub fn required(mut self, sink: impl Sink + 'static) -> Self {
        self.required.push(Box::new(sink));
        self
    }

    /// Checks that every required sink acknowledges durability, before anything is opened.
    ///
    /// # Errors
    /// Returns [`Error::NotDurable`] with the first sink that does not.
    pub fn check_required(&self) -> Result<(), Error> {
        match self.required.iter().find(|sink| !sink.durable()) {
            Some(sink) => Err(Error::NotDurable {
                sink: sink.describe().name,
            }),
            None => Ok(()),
        }
    }

    /// Adds a sink that may miss lines; a `log.gap` line counts them. Up to 8 MiB of lines wait for a sink that is slow or fails. The log
    /// gives it each batch up to eleven times in half a minute, and drops a batch at once that the sink answers with [`Error::Rejected`].
    pub fn best_effort(mut self, sink: impl Sink + 'static) -> Self {
        self.best_effort.push(Box::new(sink));
        self
    }

    /// The private half of this log's key.
    pub fn signing_key(mut self, key: SigningKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The key of the MACs that this log's lines carry, the same in every session; one that follows from the signing key unless given.
    pub fn line_key(mut self, key: LineKey) -> Self {
        self.lines = Some(key);
        self
    }

    /// Sets the principal that opens the log, for the log's own lines. The default is an operator without a name.
    pub fn principal(mut self, principal: Principal<'_>) -> Self {
        self.principal = principal.into_owned();
        self
    }

    /// Sets the longest time that an append may wait. The default is 5 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The clock for the log's own lines; the system's unless said.
    pub fn clock(mut self, clock: impl Fn() -> Timestamp + Send + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the statement of the log's `log.open` and `log.close` lines. The default states nothing. The writer's
    /// thread calls `statement` when it makes such a line, so `statement` must neither block for long nor panic.
    pub fn statement(mut self, statement: impl Fn() -> Statement + Send + 'static) -> Self {
        self.statement = Box::new(statement);
        self
    }

    /// Calls this with every checkpoint, the first included, on the thread that signs them: it may block, and must not
    /// panic.
    pub fn on_checkpoint(mut self, listener: impl Fn(&Checkpoint) + Send + 'static) -> Self {
        self.listeners.0.push(Box::new(listener));
        self
    }

    /// Opens the log: its first line is durable when this returns.
    ///
    /// # Errors
    /// [`Error::NoSigningKey`], [`Error::NoHome`], [`Error::NotDurable`], [`Error::WrongKey`] if the settings do not
    /// make a log; else the errors of the sinks.
    pub async fn open(self) -> Result<Log, Error> {
        tokio::task::spawn_blocking(|| self.open_blocking())
            .await
            .map_err(|_| Error::unavailable("opening it was cut short"))?
    }

    fn open_blocking(mut self) -> Result<Log, Error> {
        let key = self.key.take().ok_or(Error::NoSigningKey)?;
        self.check_required()?;
        let mut home = self.home.take().ok_or(Error::NoHome)?;
        let lines = self.lines.take().unwrap_or_else(|| key.line_key());
        // Before the head is read: with the key of the MACs, lines that somebody added at the end are not continued.
        home.believe(&lines)?;
        let place = home.place();
        let public_key = check_key(&key, &place)?;
        let best_effort = std::mem::take(&mut self.best_effort);
        let best_effort = best_effort
            .into_iter()
            .map(BestEffort::start)
            .collect::<Result<Vec<_>, _>>()?;
        let required: Vec<Required> = self.required.drain(..).map(Required::new).collect();
        let shared = Arc::new(self.shared(home.as_ref(), &required, &best_effort, &place));
        let keeper = keeper::start(key, lines.clone(), Arc::clone(&shared))?;
        let mut writer = Writer {
            shared: Arc::clone(&shared),
            durability: shared.durability,
            home,
            required,
            best_effort,
            keeper,
            lines,
            principal: self.principal,
            clock: self.clock,
            statement: self.statement,
            head: place.head.clone(),
            ahead: None,
            segment: if place.offset > 0 { place.segment } else { 0 },
            mark: place.mark,
            public_key,
            poisoned: None,
            refused: 0,
            untold: Vec::new(),
            checkpointed: 0,
            last_checkpoint: Instant::now(),
            last_gap: None,
            bytes: Vec::new(),
            spare: Lines::default(),
            syncing: None,
            slow: None,
            writing: false,
        };
        // On this thread, so that `open` fails if the first line cannot be written.
        writer.begin(&place)?;
        let inline = writer.can_be_quick();
        let combiner = Combiner::new(writer);
        watch::start(Arc::clone(&shared))?;
        let of_thread = combiner.clone();
        let thread = std::thread::Builder::new().name("audit-writer".to_owned());
        if let Err(error) = thread.spawn(move || thread::run(&of_thread)) {
            shared.watch.end();
            return Err(Error::io("start a thread for", &place.root)(error));
        }
        shared.queue.write_inline(inline);
        Ok(Log {
            _last: Arc::new(LastHandle(Arc::clone(&shared))),
            writer: combiner,
            shared,
        })
    }

    fn shared(
        &mut self,
        home: &dyn LogSink,
        required: &[Required],
        best_effort: &[BestEffort],
        place: &LogPlace,
    ) -> Shared {
        let home = home.describe();
        let durability = home.durability;
        let mut sinks = vec![home];
        sinks.extend(required.iter().map(Required::describe));
        sinks.extend(best_effort.iter().map(|sink| sink.description.clone()));
        let further = required.iter().map(Required::reports);
        let further = further.chain(best_effort.iter().map(BestEffort::reports)).collect();
        Shared {
            queue: Queue::new(),
            bell: Bell::default(),
            watch: Watch::default(),
            log: place.log.as_str().into(),
            root: place.root.clone(),
            home: place.home_name(),
            copies: Copies::of(place),
            directory: place.directory.clone(),
            slot: place.slot,
            sinks,
            further,
            durability,
            deadline: self.deadline,
            last_seq: AtomicU64::new(place.head.size()),
            dropped: AtomicU64::new(0),
            failure: Mutex::default(),
            checkpoint_failure: Mutex::default(),
            checkpoint: Mutex::default(),
            listeners: Mutex::new(std::mem::take(&mut self.listeners)),
        }
    }
}

/// A log signs with one key all its life. For a new log, the public half of the key is written next to it.
fn check_key(key: &SigningKey, place: &LogPlace) -> Result<VerifyingKey, Error> {
    let public = key.public(&place.log);
    match &place.public_key {
        Some(known) if *known == public => Ok(public),
        Some(_) => Err(Error::WrongKey { log: place.log.clone() }),
        // The key is beside a log before its first line is.
        None if place.next_seq() > 1 => Err(Error::Damaged {
            path: place.directory.clone(),
            why: "its lines have no `log.pub` beside them".to_owned(),
        }),
        None => place.beside().write_public_key(&public).map(|()| public),
    }
}

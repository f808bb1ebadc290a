//! The questions, each in one script, which Redis runs as one step. Answers are read strictly: an answer of another
//! form is none.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Script, ScriptInvocation, Value};

use super::keys::Keys;
use crate::changes::{Change, ChangeNumber, Changes};
use crate::limiter::{Draw, Taken};
use crate::record::{Collection, Expect, RecordId, Revision, Stored};

/// A question that one script asks.
pub(super) trait Question: Sync {
    /// The answer to the question.
    type Answer: Send;

    /// True if asking twice does no harm, so that the question may be asked again if a connection turns out to be
    /// dead.
    const REPEATABLE: bool;

    /// The script with its keys and arguments, the question's number first.
    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static>;

    /// Reads the answer after the number; `None` if it is not in the script's form.
    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer>;
}

/// Makes a script of files.
macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

pub(super) use script;

static GET: LazyLock<Script> = script!("record.lua", "get.lua");
static LIST: LazyLock<Script> = script!("list.lua");
static CHANGES: LazyLock<Script> = script!("changes.lua");
static WRITE: LazyLock<Script> = script!("history.lua", "record.lua", "write.lua");
static TAKE: LazyLock<Script> = script!("take.lua");
static BEGIN: LazyLock<Script> = script!("history.lua", "begin.lua");

/// One record.
pub(super) struct Get(pub(super) RecordId);

impl Question for Get {
    type Answer = Option<Stored>;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = GET.key(keys.record(&self.0));
        script.arg(number);
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        match <[Value; 2]>::try_from(answer).ok()? {
            [Value::Nil, Value::Nil] => Some(None),
            [revision, Value::BulkString(bytes)] => Some(Some(Stored::new(bytes, Revision::new(decimal(&revision)?)))),
            _ => None,
        }
    }
}

/// A page of a collection.
pub(super) struct List {
    pub(super) collection: Collection,
    pub(super) after: Option<RecordId>,
    pub(super) limit: usize,
}

impl Question for List {
    type Answer = Vec<RecordId>;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let from = match &self.after {
            Some(after) => [b"(".as_slice(), after.id()].concat(),
            None => b"-".to_vec(),
        };
        let mut script = LIST.key(keys.index(&self.collection));
        script.arg(number).arg(from).arg(self.limit);
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        let [Value::Array(ids)] = <[Value; 1]>::try_from(answer).ok()? else {
            return None;
        };
        let ids = ids.into_iter().map(|id| match id {
            Value::BulkString(id) => Some(RecordId::new(self.collection, id.try_into().ok()?)),
            _ => None,
        });
        ids.collect()
    }
}

/// The changes after a position of the feed.
pub(super) struct Since(pub(super) ChangeNumber);

impl Question for Since {
    type Answer = Changes;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = CHANGES.key(keys.counters());
        script.key(keys.changes());
        script.arg(number).arg(self.0.as_u64()).arg(Changes::LIMIT);
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        let [newest, told] = <[Value; 2]>::try_from(answer).ok()?;
        let newest = ChangeNumber::new(decimal(&newest)?);
        match told {
            Value::Nil if self.0 == newest => Some(Changes::told(Vec::new(), newest)),
            Value::Nil => Some(Changes::lost(newest)),
            Value::Array(ids) => {
                let first = self.0.as_u64().checked_add(1)?;
                let changes = (first..).zip(ids).map(|(number, id)| match id {
                    Value::BulkString(id) => {
                        let id = std::str::from_utf8(&id).ok()?.parse().ok()?;
                        Some(Change::new(ChangeNumber::new(number), id))
                    }
                    _ => None,
                });
                let changes: Vec<Change> = changes.collect::<Option<_>>()?;
                let upto = changes.last().map_or(self.0, |change| change.number);
                (upto <= newest).then(|| Changes::told(changes, newest))
            }
            _ => None,
        }
    }
}

/// One change of one record. The answer is its revision, or `None` if the record was not as expected.
pub(super) struct Write<'a> {
    pub(super) id: RecordId,
    /// The bytes to put; `None` deletes the record.
    pub(super) bytes: Option<&'a [u8]>,
    pub(super) expect: Expect,
    /// The number of changes that the feed keeps.
    pub(super) keep: u32,
}

impl Question for Write<'_> {
    type Answer = Option<Revision>;
    const REPEATABLE: bool = false;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let collection = self.id.collection();
        let expected = match self.expect {
            Expect::Absent => String::new(),
            Expect::Revision(revision) => revision.as_u64().to_string(),
        };
        let keep = match collection.kind().is_quiet() {
            true => String::new(),
            false => self.keep.max(1).to_string(),
        };
        let mut script = WRITE.key(keys.counters());
        script
            .key(keys.changes())
            .key(keys.record(&self.id))
            .key(keys.index(collection))
            .key(keys.record(&RecordId::SEAL))
            .arg(number)
            .arg(if self.bytes.is_some() { "put" } else { "delete" })
            .arg(expected)
            .arg(self.id.to_string())
            .arg(self.id.id().as_slice())
            .arg(keep)
            .arg(keys.changes())
            .arg(self.bytes.unwrap_or_default());
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        match <[Value; 1]>::try_from(answer).ok()? {
            [Value::Nil] => Some(None),
            [revision] => Some(Some(Revision::new(decimal(&revision)?))),
        }
    }
}

/// One use of each of some buckets. Asked twice because an answer was lost, it may take two: never more than there are.
pub(super) struct Take<'a>(pub(super) &'a [Draw]);

impl Question for Take<'_> {
    type Answer = Taken;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = TAKE.arg(number);
        for draw in self.0 {
            script
                .key(keys.bucket(&draw.bucket))
                .arg(draw.count.get())
                .arg(u64::from(draw.seconds.get()) * MICROS);
        }
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        let [which, wait] = <[Value; 2]>::try_from(answer).ok()?;
        let (which, wait) = (usize::try_from(decimal(&which)?).ok()?, decimal(&wait)?);
        match (which.checked_sub(1), wait) {
            (None, 0) => Some(Taken::All),
            (Some(which), 1..) if which < self.0.len() => Some(Taken::None {
                which,
                wait: Duration::from_micros(wait),
            }),
            _ => None,
        }
    }
}

/// The number of microseconds in a second.
const MICROS: u64 = 1_000_000;

/// Checks that the data is a store of this program, at each new connection. The answer is the store's format.
pub(super) struct Begin<'a> {
    pub(super) format: u32,
    /// Names the server's past: it is another one after a failover.
    pub(super) history: &'a str,
}

impl Question for Begin<'_> {
    type Answer = u32;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = BEGIN.key(keys.counters());
        script
            .key(keys.changes())
            .key(keys.probe())
            .arg(number)
            .arg(self.format)
            .arg(self.history)
            .arg(keys.changes());
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        let [format] = <[Value; 1]>::try_from(answer).ok()?;
        decimal(&format)?.try_into().ok()
    }
}

/// A number as scripts give them: decimal digits. A script's own numbers would be rounded beyond 2^53.
pub(super) fn decimal(value: &Value) -> Option<u64> {
    let Value::BulkString(digits) = value else {
        return None;
    };
    let digits = std::str::from_utf8(digits).ok()?;
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        let collection = Collection::root(Kind::new(3));
        let id = RecordId::new(collection, [1; 16]);
        let get = Get(id);
        assert_eq!(get.read(vec![Value::Nil, Value::Nil]), Some(None));
        for wrong in [
            vec![],
            vec![Value::Nil],
            vec![text("1"), Value::Nil],
            vec![Value::Nil, text("x")],
            vec![Value::Int(1), text("x")],
            vec![text("01"), text("x")],
            vec![text("-1"), text("x")],
            vec![text("1"), text("x"), text("y")],
        ] {
            assert_eq!(get.read(wrong.clone()), None, "{wrong:?}");
        }
        let list = List {
            collection,
            after: None,
            limit: 9,
        };
        assert_eq!(list.read(vec![Value::Array(vec![text("short")])]), None);
        assert_eq!(list.read(vec![Value::Nil]), None);
    }

    #[test]
    fn of_a_limit_only_what_it_can_say_is_an_answer() {
        let one = std::num::NonZeroU32::MIN;
        let draw = Draw {
            bucket: [1; 16],
            count: one,
            seconds: one,
        };
        let draws = [draw];
        let take = Take(&draws);
        let wait = |micros| Taken::None {
            which: 0,
            wait: Duration::from_micros(micros),
        };
        assert_eq!(take.read(vec![text("0"), text("0")]), Some(Taken::All));
        assert_eq!(take.read(vec![text("1"), text("7")]), Some(wait(7)));
        for wrong in [
            ("0", "7"),
            ("1", "0"),
            ("2", "7"),
            ("-1", "7"),
            ("1", "7.5"),
            ("1", "inf"),
        ] {
            assert_eq!(take.read(vec![text(wrong.0), text(wrong.1)]), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_feed_that_tells_of_more_than_there_was_is_none() {
        let id = RecordId::new(Collection::root(Kind::new(3)), [1; 16]).to_string();
        let since = Since(ChangeNumber::new(4));
        assert!(since.read(vec![text("5"), Value::Array(vec![text(&id)])]).is_some());
        assert!(since.read(vec![text("4"), Value::Array(vec![text(&id)])]).is_none());
        assert!(
            since
                .read(vec![text("5"), Value::Array(vec![text("not an id")])])
                .is_none()
        );
        assert!(
            since
                .read(vec![text("9"), Value::Nil])
                .is_some_and(|changes| changes.gap)
        );
    }
}

//! The questions about many records, each in one script as well.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation, Value};

use super::keys::Keys;
use super::questions::{Question, decimal, script};
use crate::error::{Error, Result};
use crate::record::{Expect, RecordId, RecordPut, Revision, Stored};
use crate::store::MAX_RECORD;

static GET_MANY: LazyLock<Script> = script!("record.lua", "get_many.lua");
static WRITE_MANY: LazyLock<Script> = script!("history.lua", "record.lua", "write_many.lua");

/// Several records.
pub(super) struct GetMany<'a>(pub(super) &'a [RecordId]);

impl Question for GetMany<'_> {
    type Answer = Vec<Option<Stored>>;
    const REPEATABLE: bool = true;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = GET_MANY.arg(number);
        script.arg(MAX_RECORD);
        for id in self.0 {
            script.key(keys.record(id));
        }
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        let [Value::Array(parts)] = <[Value; 1]>::try_from(answer).ok()? else {
            return None;
        };
        if parts.is_empty() || parts.len() % 2 != 0 || parts.len() > 2 * self.0.len() {
            return None;
        }
        let (mut found, mut parts) = (Vec::new(), parts.into_iter());
        while let (Some(revision), Some(bytes)) = (parts.next(), parts.next()) {
            found.push(match (revision, bytes) {
                (Value::Nil, Value::Nil) => None,
                (revision, Value::BulkString(bytes)) => Some(Stored::new(bytes, Revision::new(decimal(&revision)?))),
                _ => return None,
            });
        }
        Some(found)
    }
}

/// Several records that are put. The answer is their revisions, or the refusal of a record that was not as expected.
pub(super) struct WriteMany<'a> {
    pub(super) puts: &'a [RecordPut<'a>],
    /// The number of changes that the feed keeps.
    pub(super) keep: u32,
}

impl Question for WriteMany<'_> {
    type Answer = Result<Vec<Revision>>;
    const REPEATABLE: bool = false;

    fn script(&self, keys: &Keys, number: i64) -> ScriptInvocation<'static> {
        let mut script = WRITE_MANY.key(keys.counters());
        script.key(keys.changes());
        script.arg(number).arg(self.keep.max(1)).arg(keys.changes());
        for put in self.puts {
            let collection = put.id.collection();
            let expected = match put.expect {
                Expect::Absent => String::new(),
                Expect::Revision(revision) => revision.as_u64().to_string(),
            };
            script.key(keys.record(&put.id)).key(keys.index(collection));
            script
                .arg(expected)
                .arg(put.id.to_string())
                .arg(put.id.id().as_slice())
                .arg(if collection.kind().is_quiet() { "quiet" } else { "" })
                .arg(put.bytes);
        }
        script.key(keys.record(&RecordId::SEAL));
        script
    }

    fn read(&self, answer: Vec<Value>) -> Option<Self::Answer> {
        match <[Value; 1]>::try_from(answer).ok()? {
            [Value::Array(revisions)] if revisions.len() == self.puts.len() => {
                let revisions = revisions.iter().map(|revision| decimal(revision).map(Revision::new));
                Some(Ok(revisions.collect::<Option<_>>()?))
            }
            [number @ Value::BulkString(_)] => {
                let number = usize::try_from(decimal(&number)?).ok()?;
                let put = self.puts.get(number.checked_sub(1)?)?;
                Some(Err(match put.expect {
                    Expect::Absent => Error::Exists,
                    Expect::Revision(_) => Error::Conflict,
                }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Collection, Kind};

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_answer_of_another_form_is_none() {
        let id = RecordId::new(Collection::root(Kind::new(3)), [1; 16]);
        let ids = [id, id];
        let get = GetMany(&ids);
        let one = vec![Value::Array(vec![text("1"), text("x")])];
        assert_eq!(get.read(one).map(|found| found.len()), Some(1), "it ended early");
        for wrong in [
            vec![],
            vec![Value::Nil],
            vec![Value::Array(vec![])],
            vec![Value::Array(vec![text("1")])],
            vec![Value::Array(vec![text("1"), Value::Nil])],
            vec![Value::Array(vec![Value::Nil, text("x")])],
            vec![Value::Array(vec![Value::Nil; 6])],
        ] {
            assert_eq!(get.read(wrong.clone()), None, "{wrong:?}");
        }
        let put = RecordPut::new(id, b"x", Expect::Absent);
        let puts = [put];
        let write = WriteMany { puts: &puts, keep: 1 };
        assert!(matches!(write.read(vec![Value::Array(vec![text("7")])]), Some(Ok(_))));
        assert!(matches!(write.read(vec![text("1")]), Some(Err(Error::Exists))));
        for wrong in [
            vec![Value::Nil],
            vec![text("0")],
            vec![text("2")],
            vec![Value::Array(vec![])],
            vec![Value::Array(vec![text("7"), text("8")])],
        ] {
            assert!(write.read(wrong.clone()).is_none(), "{wrong:?}");
        }
    }
}

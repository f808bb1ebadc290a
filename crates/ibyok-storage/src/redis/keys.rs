use crate::record::{Collection, RecordId};

/// The names of the keys of one store. All have one hash tag (the part in braces), so in a cluster they are on one node, and one
/// script may use them together.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// The keys of the store with this name.
    pub(super) fn new(name: &str) -> Self {
        Keys {
            prefix: format!("{{{name}}}"),
        }
    }

    /// The prefix of all keys.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A hash: the newest revision and change, the format, the server's history.
    pub(super) fn counters(&self) -> String {
        format!("{}:counters", self.prefix)
    }

    /// A list: the ids of changed records, the newest last. The channel for hints has the same name.
    pub(super) fn changes(&self) -> String {
        format!("{}:changes", self.prefix)
    }

    /// A hash: revision and bytes of one record.
    pub(super) fn record(&self, id: &RecordId) -> String {
        format!("{}:record:{id}", self.prefix)
    }

    /// A sorted set: the ids of a collection, all with the same score, and so in the order of their bytes.
    pub(super) fn index(&self, collection: &Collection) -> String {
        format!("{}:index:{collection}", self.prefix)
    }

    /// A hash: the uses that are out of one bucket of a limit. It expires by itself once the bucket is full again.
    pub(super) fn bucket(&self, name: &[u8; 16]) -> String {
        format!("{}:limit:{:032x}", self.prefix, u128::from_be_bytes(*name))
    }

    /// A key that exists only while a script tests its permissions.
    pub(super) fn probe(&self) -> String {
        format!("{}:probe", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    #[test]
    fn all_keys_have_one_hash_tag() {
        let keys = Keys::new("ibyok");
        let collection = Collection::root(Kind::new(3));
        let id = RecordId::new(collection, [1; 16]);
        let all = [
            keys.counters(),
            keys.changes(),
            keys.record(&id),
            keys.index(&collection),
            keys.bucket(&[7; 16]),
            keys.probe(),
        ];
        for key in &all {
            assert!(
                key.starts_with("{ibyok}:") && key.matches(['{', '}']).count() == 2,
                "{key}"
            );
        }
    }
}

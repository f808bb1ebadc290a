//! A custom store: one JSON file, which each write replaces. `docs/backends.md` explains it.
#![forbid(unsafe_code)]

use std::{collections::BTreeMap, fs, fs::File, io, io::Write, path::PathBuf, time::Duration};

use ibyok_storage::{
    Change, ChangeNumber, Changes, Collection, Durability, Error, Expect, Health, LIST_LIMIT, Limiter,
};
use ibyok_storage::{MAX_RECORD, RecordId, RecordPut, Result, Revision, Store, Stored};

/// The store in `directory`, which must exist, with a feed that keeps `keep` changes.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, missing_docs, reason = "an example shows its fields")]
pub struct JsonStore {
    pub directory: PathBuf,
    pub keep: u64,
}

/// The file: each record's revision and bytes by its id as text, and of which record each change was.
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Data {
    revision: u64,
    change: u64,
    records: BTreeMap<String, (u64, Vec<u8>)>,
    feed: BTreeMap<u64, String>,
}

fn failed(error: io::Error) -> Error {
    Error::unavailable("json", error)
}

impl JsonStore {
    /// Needs no lock, because the file is only ever replaced as a whole.
    fn read(&self) -> Result<Data> {
        match fs::read(self.directory.join("store.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Data::default()),
            read => serde_json::from_slice(&read.map_err(failed)?).map_err(|error| Error::corrupt("the file", error)),
        }
    }

    /// The new file is on the disk before it takes the old one's name, and so is the name before this returns.
    fn replace(&self, data: &Data) -> io::Result<()> {
        let mut file = File::create(self.directory.join("store.new"))?;
        file.write_all(&serde_json::to_vec(data)?)?;
        file.sync_all()?;
        fs::rename(self.directory.join("store.new"), self.directory.join("store.json"))?;
        File::open(&self.directory)?.sync_all()
    }

    /// Compares, changes, counts and notifies under one lock. Nothing in it is `await`ed, so no caller can drop it half-way.
    fn write(&self, changes: &[(RecordId, Option<&[u8]>, Expect)]) -> Result<Vec<Revision>> {
        let lock = File::create(self.directory.join("store.lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let (mut data, mut revisions) = (self.read()?, Vec::new());
        for (id, bytes, expect) in changes {
            let name = id.to_string();
            if let Some((_, seal)) = data
                .records
                .get(&RecordId::SEAL.to_string())
                .filter(|_| *id != RecordId::SEAL)
            {
                return Err(Error::sealed(seal));
            }
            expect.compare(data.records.get(&name).map(|found| Revision::new(found.0)))?;
            data.revision += 1;
            revisions.push(Revision::new(data.revision));
            match bytes {
                Some(bytes) => data.records.insert(name.clone(), (data.revision, bytes.to_vec())),
                None => data.records.remove(&name),
            };
            if !id.collection().kind().is_quiet() {
                data.change += 1;
                data.feed.insert(data.change, name);
            }
        }
        data.feed.retain(|number, _| number + self.keep > data.change);
        self.replace(&data).map_err(failed)?;
        Ok(revisions)
    }
}

#[async_trait::async_trait]
impl Store for JsonStore {
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
        let found = self.read()?.records.remove(&id.to_string());
        Ok(found.map(|(revision, bytes)| Stored::new(bytes, Revision::new(revision))))
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
        let put = RecordPut::new(*id, bytes, expect);
        Ok(self.put_many(&[put]).await?.swap_remove(0))
    }

    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let (data, mut found, mut bytes) = (self.read()?, Vec::new(), 0);
        for id in ids.iter().take(LIST_LIMIT) {
            let record = data.records.get(&id.to_string());
            bytes += record.as_ref().map_or(0, |record| record.1.len());
            if bytes > MAX_RECORD && !found.is_empty() {
                break;
            }
            found.push(record.map(|record| Stored::new(record.1.clone(), Revision::new(record.0))));
        }
        Ok(found)
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let puts = RecordPut::first_batch(puts)?.iter();
        self.write(
            &puts
                .map(|put| (put.id, Some(put.bytes), put.expect))
                .collect::<Vec<_>>(),
        )
    }

    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>> {
        collection.check_after(after)?;
        let (data, after) = (self.read()?, after.map(RecordId::to_string).unwrap_or_default());
        let names = data
            .records
            .keys()
            .filter(|name| **name > after && name.starts_with(&format!("{collection}.")));
        names.take(limit.min(LIST_LIMIT)).map(|name| name.parse()).collect()
    }

    async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
        let (data, since) = (self.read()?, since.as_u64());
        if let Some((_, seal)) = data.records.get(&RecordId::SEAL.to_string()) {
            return Err(Error::sealed(seal));
        }
        if since > data.change || since + (data.feed.len() as u64) < data.change {
            return Ok(Changes::lost(ChangeNumber::new(data.change)));
        }
        let told = data.feed.range(since + 1..).take(Changes::LIMIT);
        let told = told.map(|(number, id)| Ok(Change::new(ChangeNumber::new(*number), id.parse()?)));
        Ok(Changes::told(
            told.collect::<Result<_>>()?,
            ChangeNumber::new(data.change),
        ))
    }

    async fn wait(&self, since: ChangeNumber) -> Result<()> {
        while self.read()?.change == since.as_u64() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
        self.write(&[(*id, None, Expect::Revision(expect))]).map(drop)
    }

    async fn scrub(&self) -> Result<Option<String>> {
        Ok(Some(
            "the disk holds the files before until their blocks are used again".to_owned(),
        ))
    }

    async fn check(&self) -> Result<Health> {
        self.read().map(|_| Health::new("json", Durability::PowerLoss))
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        None
    }
}

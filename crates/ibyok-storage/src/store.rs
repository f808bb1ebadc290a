use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;

use crate::changes::{ChangeNumber, Changes};
use crate::error::Result;
use crate::health::Health;
use crate::limiter::Limiter;
use crate::pages::Pages;
use crate::record::{Collection, Expect, RecordId, RecordPut, Revision, Stored};

/// The most bytes that a record may have: 16 MiB.
pub const MAX_RECORD: usize = 16 * 1024 * 1024;

/// The maximum number of ids that one [`list`](Store::list) returns.
pub const LIST_LIMIT: usize = 1000;

/// Bytes under record ids, and the operations that a vault needs to keep them correct: nothing that only one database could offer.
///
/// # Contract
///
/// A store maps a [`RecordId`] to bytes. It does not interpret them. All handles on the same data, in this process or another, are
/// one store: a record that one puts, the others get.
///
/// # Atomicity
///
/// Each `put` and `delete` happens whole or not at all, and at one instant between its call and its return. Comparing and writing
/// are one step: if several writers expect the same revision, exactly one wins. A [`put_many`](Store::put_many) is one step as well,
/// for the records that it writes. There is no other transaction over two records.
///
/// # Durability
///
/// A `put` that returned survives every failure up to the [`Health::durability`] that [`check`](Store::check) reports. A caller can
/// never notice an early return.
///
/// # The change feed
///
/// Every `put` and `delete` of a record that is not of a [quiet](crate::Kind::is_quiet) kind takes the next change
/// number *in the same transaction*. So the numbers are the order of the commits: after a caller has seen number `n`,
/// the feed never shows it a new change below `n`. A backend may forget old changes. If a caller asks from before
/// them, the backend must report that ([`Changes::gap`]). Caches depend on this: a change that is missing from the feed
/// without a gap is a revoked key that still works.
///
/// # The seal
///
/// A store that holds a record with the id [`RecordId::SEAL`] is sealed, for example because its vault was moved to another store. It refuses
/// every `put`, `put_many` and `delete` of another record, and `changes`, with [`Sealed`](crate::Error::Sealed). The record's bytes are the
/// reason, as text. After the `put` of the seal has returned, no write on any handle may succeed, also none that was under way. Reads
/// go on.
///
/// # Errors
///
/// [`Exists`](crate::Error::Exists), [`Conflict`](crate::Error::Conflict) and [`TooLarge`](crate::Error::TooLarge)
/// mean that nothing was written. [`Unavailable`](crate::Error::Unavailable) from `put` or `delete` leaves it unknown
/// whether something was written. A backend without an answer must stop after some seconds; it must not wait
/// for ever.
///
/// # Cancellation
///
/// Any of these futures may be dropped at any point. A dropped `put` or `delete` happened whole or not at all, and
/// the next caller never gets the answer to another caller's question.
///
/// # Clone and share
///
/// A store is used as `Arc<dyn Store>` by many tasks at once.
///
/// # Wrappers
///
/// There are no default methods, so that a wrapper which forgets to forward one does not compile.
///
/// # Writing your own
///
/// Implement the eleven methods, then run the suite of the feature `conformance` on it. `docs/backends.md` in the repository explains
/// each step, and `examples/backend` is a complete store in little more than a hundred lines of code.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Returns the record, or `None` if there is none. The call sees every `put` that returned before it.
    async fn get(&self, id: &RecordId) -> Result<Option<Stored>>;

    /// Writes a record if its state is as expected, and returns its new revision.
    ///
    /// # Errors
    ///
    /// [`Exists`](crate::Error::Exists) if [`Expect::Absent`] finds a record; [`Conflict`](crate::Error::Conflict) if
    /// [`Expect::Revision`] finds another revision or none; [`TooLarge`](crate::Error::TooLarge) over [`MAX_RECORD`] bytes.
    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision>;

    /// Returns the records with these ids, in the order of the ids, with `None` for each id without a record. An id may be there twice.
    ///
    /// The answer may end early, after at least one record: the caller asks again for the remaining ids. A backend must end it after
    /// [`LIST_LIMIT`] ids, and before the record with which the bytes would exceed [`MAX_RECORD`] together. The records need not be of
    /// one instant, but each is as [`get`](Store::get) would return it.
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::Error::Corrupt) if one of the records cannot be read. The caller then reads each by itself.
    async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>>;

    /// Writes the first of these records, all of them or none, and returns their new revisions in the same order.
    ///
    /// The number of revisions is the number of records that were written: at least one, unless `puts` is empty. The caller puts the
    /// remaining records with the next call. A backend with transactions writes as many records as
    /// [`RecordPut::first_batch`] returns. A backend without them writes one record at a time, and so keeps the promise as well.
    ///
    /// Each record takes its own number in the change feed, in the order of `puts`.
    ///
    /// # Errors
    ///
    /// As [`put`](Store::put), and [`Invalid`](crate::Error::Invalid) if a record is there twice. Except after
    /// [`Unavailable`](crate::Error::Unavailable) and [`Poisoned`](crate::Error::Poisoned), nothing was written. The error does not say
    /// which record was not as expected.
    async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>>;

    /// The ids of a collection in order, beginning after `after`: at most `limit`, and never more than [`LIST_LIMIT`]. Fewer than
    /// the smaller of the two means that there are no more. A record that exists during the whole of a paged listing is in it exactly once.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::Error::Invalid) if `after` is of another collection.
    async fn list(&self, collection: &Collection, after: Option<&RecordId>, limit: usize) -> Result<Vec<RecordId>>;

    /// Returns the changes after `since` on any handle, in the order of commits: at most [`Changes::LIMIT`]. If the
    /// feed does not reach back to `since`, or has never reached it, the answer is [`Changes::lost`].
    async fn changes(&self, since: ChangeNumber) -> Result<Changes>;

    /// Returns when the feed is no longer at `since`. It is only a hint: it may come late, without cause, or not at
    /// all. For a certain answer, call [`changes`](Store::changes).
    async fn wait(&self, since: ChangeNumber) -> Result<()>;

    /// Removes a record permanently if it is at the expected revision. Its revisions are never used again.
    ///
    /// # Errors
    ///
    /// [`Conflict`](crate::Error::Conflict) if it is at another revision or not there.
    async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()>;

    /// Overwrites replaced and deleted bytes, as far as this backend can. Returns a text for people about the places
    /// that may still hold such bytes; `None` if no place of the store does. No record changes. The vault calls it after
    /// bytes were destroyed, which is rare, so it may be slow.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable) if that is not possible now, so that the remaining bytes are unknown.
    async fn scrub(&self) -> Result<Option<String>>;

    /// Checks that the store answers, and returns its promises.
    async fn check(&self) -> Result<Health>;

    /// Buckets that all handles on this store take from together, if it offers them. Without them each node counts its own uses,
    /// and a limit holds on each node separately. That is correct for a store that cannot do better.
    fn limiter(&self) -> Option<&dyn Limiter>;
}

/// Methods that every store has for its users.
pub trait StoreExt: Store {
    /// Returns all ids of a collection in order, page by page. Records put or deleted meanwhile may or may not be in
    /// it.
    ///
    /// # Errors
    ///
    /// The errors of [`list`](Store::list).
    fn list_all(&self, collection: &Collection) -> impl Future<Output = Result<Vec<RecordId>>> + Send {
        async move {
            let (mut all, mut pages) = (Vec::new(), self.pages(collection));
            while let Some(page) = pages.next_page().await? {
                all.extend(page);
            }
            Ok(all)
        }
    }

    /// Walks over the ids of a collection in order, page by page.
    fn pages(&self, collection: &Collection) -> Pages<'_, Self> {
        Pages::new(self, collection)
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// Makes a pointer to a store a store.
macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        impl<T: Store + ?Sized> Store for $pointer<T> {
            async fn get(&self, id: &RecordId) -> Result<Option<Stored>> {
                T::get(self, id).await
            }

            async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> Result<Revision> {
                T::put(self, id, bytes, expect).await
            }

            async fn get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
                T::get_many(self, ids).await
            }

            async fn put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
                T::put_many(self, puts).await
            }

            async fn list(
                &self,
                collection: &Collection,
                after: Option<&RecordId>,
                limit: usize,
            ) -> Result<Vec<RecordId>> {
                T::list(self, collection, after, limit).await
            }

            async fn changes(&self, since: ChangeNumber) -> Result<Changes> {
                T::changes(self, since).await
            }

            async fn wait(&self, since: ChangeNumber) -> Result<()> {
                T::wait(self, since).await
            }

            async fn delete(&self, id: &RecordId, expect: Revision) -> Result<()> {
                T::delete(self, id, expect).await
            }

            async fn scrub(&self) -> Result<Option<String>> {
                T::scrub(self).await
            }

            async fn check(&self) -> Result<Health> {
                T::check(self).await
            }

            fn limiter(&self) -> Option<&dyn Limiter> {
                T::limiter(self)
            }
        }
    };
}

forward!(Arc);
forward!(Box);

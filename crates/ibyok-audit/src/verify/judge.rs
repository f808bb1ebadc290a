//! Names the fault of a line that does not fit, as exactly as its neighbours allow.

use sha2::{Digest, Sha256};

use super::files::{Item, Lines};
use super::log::{At, Hash, Link, Walk, file_name, hex, link as read_link};
use super::report::VerifyFault;
use crate::error::Error;

/// A first verdict that a later line may sharpen.
pub(super) enum Watch {
    /// The missing line may be further down. `then` is the verdict if it is: the line was moved, or the line in its
    /// place was inserted.
    Missing { seq: u64, prev: Hash, then: VerifyFault },
    /// The line that came too early may come again: then it is a copy.
    Again { hash: Hash },
}

impl Walk {
    /// Names the fault of a line that does not fit, as exactly as its neighbours allow.
    pub(super) fn judge(&mut self, item: &Item, link: Option<Link>, lines: &mut Lines) -> Result<(), Error> {
        let (seq, prev) = (self.size + 1, hex(&self.last));
        let hash: Hash = Sha256::digest(&item.text).into();
        let next = lines.peek(0)?.and_then(read_link);
        let next_fits = next.as_ref().is_some_and(|next| next.seq == seq && next.prev == prev);
        let next_follows = next.as_ref().is_some_and(|next| next.prev == hex(&hash));
        let missing = |then| {
            Some(Watch::Missing {
                seq,
                prev: self.last,
                then,
            })
        };
        let here = At {
            segment: item.segment,
            line: item.line,
        };
        let (at, bad_seq, what, watch) = match link {
            None if next_fits => (here, seq, VerifyFault::Inserted, None),
            None => (here, seq, VerifyFault::Changed, missing(VerifyFault::Inserted)),
            Some(link) if link.prev == prev => (here, seq, VerifyFault::Changed, None),
            Some(link) if link.seq == seq => {
                let (at, seq) = self.either_side(item, &link, next.as_ref());
                (at, seq, VerifyFault::Changed, None)
            }
            Some(link) if link.seq < seq => {
                let rival = link.seq + 1 == seq && link.prev == hex(&self.before_last);
                let ours_is_it = rival && hash != self.last && next_follows;
                (
                    if ours_is_it { self.at } else { here },
                    link.seq,
                    VerifyFault::Inserted,
                    None,
                )
            }
            Some(link) if next_fits => (here, link.seq, VerifyFault::Moved, Some(Watch::Again { hash })),
            Some(_) => (here, seq, VerifyFault::Removed, missing(VerifyFault::Moved)),
        };
        self.watch = watch;
        self.claim(&file_name(at.segment), at.line, bad_seq, what);
        Ok(())
    }

    /// A line whose number fits and whose `prev` does not: either that was changed, or the line before it was. With the
    /// right `prev` it must be the line that the next one follows, or that a checkpoint was signed for, to be the one.
    fn either_side(&self, item: &Item, link: &Link, next: Option<&Link>) -> (At, u64) {
        let here = At {
            segment: item.segment,
            line: item.line,
        };
        let seq = self.size + 1;
        let was = String::from_utf8_lossy(&item.text).replacen(&link.prev, &hex(&self.last), 1);
        let followed = next.is_some_and(|next| next.prev == hex(&Sha256::digest(&was).into()));
        let signed = || {
            let mut tree = self.tree.clone();
            tree.add(was.as_bytes());
            self.notes
                .iter()
                .any(|note| note.size == seq && note.root == tree.hash())
        };
        if self.size == 0 || followed || signed() {
            (here, seq)
        } else {
            (self.at, self.size)
        }
    }

    /// Sharpens the verdict by a line further down.
    pub(super) fn sharpen(&mut self, item: &Item) {
        let sharper = match &self.watch {
            None => None,
            Some(Watch::Missing { seq, prev, then }) => {
                let found = read_link(item)
                    .is_some_and(|link| link.log == self.id && link.seq == *seq && link.prev == hex(prev));
                found.then_some(*then)
            }
            Some(Watch::Again { hash }) => {
                (<Hash>::from(Sha256::digest(&item.text)) == *hash).then_some(VerifyFault::Inserted)
            }
        };
        if let (Some(what), Some(bad)) = (sharper, &mut self.first_bad) {
            bad.what = what;
            self.watch = None;
        }
    }
}

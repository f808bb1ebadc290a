//! Changes: each set of them, with the row of the whole, in one transaction.

use sqlx::Connection;

use super::connections::{Connections, Writer};
use super::digest::Table;
use super::read;
use super::refused::{Refused, Trouble};
use super::tree::Tree;
use super::{AuthenticatedMap, BACKEND};
use crate::error::{Error, Result};
use crate::file::poisons;
use crate::map::{MapChange, MapDurability, MapSummary};

/// The longest key, in bytes.
const KEY_MAX: usize = 255;

/// The longest text, in bytes.
const TEXT_MAX: usize = 60_000;

impl AuthenticatedMap {
    /// Applies changes in their order, all of them or none, and returns the state after them. Changes that change nothing write
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the content does not fit its MAC, or is older than this handle has seen;
    /// [`Error::Invalid`] for a key, number or text that is too large; [`Error::Unavailable`] if the file cannot be
    /// written.
    pub async fn apply(&self, changes: Vec<MapChange>, durability: MapDurability) -> Result<MapSummary> {
        self.write(changes, durability, false).await
    }

    /// Makes every change before this one survive power loss, and returns the state.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::apply`].
    pub async fn sync(&self) -> Result<MapSummary> {
        self.write(Vec::new(), MapDurability::Disk, true).await
    }

    /// Writes to the file without changing the map: fails where a change would fail.
    ///
    /// # Errors
    /// As [`AuthenticatedMap::apply`].
    pub async fn probe(&self) -> Result<MapSummary> {
        self.write(Vec::new(), MapDurability::Kernel, true).await
    }

    /// Writes on a separate task: a caller that goes away must not leave half a transaction holding the lock.
    async fn write(&self, changes: Vec<MapChange>, durability: MapDurability, always: bool) -> Result<MapSummary> {
        let map = self.clone();
        let task = tokio::spawn(async move { map.write_here(&changes, durability, always).await });
        task.await.map_err(|error| Error::unavailable(BACKEND, error))?
    }

    async fn write_here(&self, changes: &[MapChange], durability: MapDurability, always: bool) -> Result<MapSummary> {
        let connections = &self.connections;
        let mut turn = connections.turn().await?;
        connections.check_identity()?;
        let mut writer = connections.take(&mut turn, durability).await?;
        let done = match transact(&mut writer, connections, changes, always).await {
            Ok(summary) => Ok(summary),
            Err(Trouble::Refused(refused)) => Err(refused),
            // It is not known what of it is on the disk.
            Err(Trouble::Sql(error)) if poisons(&error) => return Err(Error::poisoned(BACKEND)),
            Err(trouble) => return Err(trouble.into_error(self.path())),
        };
        *turn = Some(writer);
        // If the file was replaced meanwhile, the change went to a file that nobody finds again.
        connections.check_identity()?;
        done.map_err(|refused| refused.into_error(self.path()))
    }
}

/// Runs one transaction.
async fn transact(
    writer: &mut Writer,
    connections: &Connections,
    changes: &[MapChange],
    always: bool,
) -> Result<MapSummary, Trouble> {
    let key = connections.key.as_ref();
    let before = connections.newest();
    let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await?;
    let edited = async {
        let whole = read::whole(&mut transaction, key).await?;
        connections.admit(before.as_ref(), &whole)?;
        let mut tree = Tree::new(&mut transaction, key, whole);
        let changed = edit(&mut tree, changes).await?;
        if changed || always {
            return Ok((tree.store().await?, true, changed));
        }
        Ok((tree.whole, false, false))
    };
    match edited.await {
        Ok((whole, stored, changed)) => {
            if stored {
                transaction.commit().await?;
                connections.wrote(&whole);
            } else {
                transaction.rollback().await?;
            }
            Ok(MapSummary {
                changed,
                ..whole.summary(key)
            })
        }
        Err(Trouble::Refused(refused)) => {
            transaction.rollback().await?;
            Err(refused.into())
        }
        Err(trouble) => Err(trouble),
    }
}

/// Applies the changes. Returns whether they changed anything.
async fn edit(tree: &mut Tree<'_>, changes: &[MapChange]) -> Result<bool, Trouble> {
    let mut changed = false;
    for table in Table::ALL {
        let names = changes.iter().filter_map(|change| match change {
            MapChange::Raise { key, .. } if table == Table::Numbers => Some(key.as_slice()),
            MapChange::Put { key, .. } if table == Table::Texts => Some(key.as_slice()),
            MapChange::Raise { .. } | MapChange::Put { .. } | MapChange::Generation(_) => None,
        });
        let names: Vec<&[u8]> = names.collect();
        // One change reads its nodes on its way.
        if names.len() > 1 {
            tree.read_ahead(table, &names).await?;
        }
    }
    for change in changes {
        changed |= apply(tree, change).await?;
    }
    if changed {
        tree.whole.generation += 1;
    }
    Ok(changed)
}

/// Applies one change. Returns whether it changed anything.
async fn apply(tree: &mut Tree<'_>, change: &MapChange) -> Result<bool, Trouble> {
    let (table, name, value) = match change {
        MapChange::Raise { key, number } => (Table::Numbers, key, Some(of_number(*number)?)),
        MapChange::Put { key, text } => (Table::Texts, key, text.as_ref().map(|text| text.clone().into_bytes())),
        MapChange::Generation(least) => {
            // One less, since the change itself is one more.
            let raised = least.saturating_sub(1) > tree.whole.generation;
            tree.whole.generation = tree.whole.generation.max(least.saturating_sub(1));
            return Ok(raised);
        }
    };
    if name.len() > KEY_MAX || value.as_ref().is_some_and(|value| value.len() > TEXT_MAX) {
        return Err(Refused::TooLarge.into());
    }
    let before = tree.get(table, name).await?;
    if before == value {
        return Ok(false);
    }
    if table == Table::Numbers && as_number(before.as_deref()) > as_number(value.as_deref()) {
        return Ok(false);
    }
    tree.put(table, name, value).await?;
    Ok(true)
}

/// The bytes of a number, without zeros in front.
fn of_number(number: u64) -> Result<Vec<u8>, Refused> {
    if i64::try_from(number).is_err() {
        return Err(Refused::TooLarge);
    }
    let zeros = usize::try_from(number.leading_zeros() / 8).unwrap_or(0);
    Ok(number.to_be_bytes().into_iter().skip(zeros).collect())
}

/// The number that an item's value is.
pub(super) fn as_number(value: Option<&[u8]>) -> Option<u64> {
    let value = value.filter(|value| value.len() <= 8)?;
    Some(value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_number_lead_back_to_it() {
        for number in [0, 1, 255, 256, 65_535, 1 << 40, (1 << 63) - 1] {
            let bytes = of_number(number).unwrap();
            assert_eq!(as_number(Some(&bytes)), Some(number));
            assert_ne!(bytes.first(), Some(&0));
        }
        assert_eq!(of_number(1 << 63), Err(Refused::TooLarge));
        assert_eq!(as_number(Some(&[1; 9])), None);
    }
}

//! The harm that an attacker who can write to the directory of the file of floors can do to the file.

use std::path::Path;

use crate::node::{Copy, Node, put, put_copy, remove};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Harm {
    None,
    Deleted,
    Emptied,
    /// Cut to so many eighths.
    Cut(usize),
    SetBack,
    /// The `-wal` file alone is gone.
    WithoutWal,
    /// One byte is changed, at this many sixteenths of the file.
    Flipped(usize),
    Garbage,
}

pub(crate) const HARMS: &[Harm] = &[
    Harm::None,
    Harm::Deleted,
    Harm::Emptied,
    Harm::Cut(1),
    Harm::Cut(2),
    Harm::Cut(3),
    Harm::Cut(4),
    Harm::Cut(5),
    Harm::Cut(6),
    Harm::Cut(7),
    Harm::SetBack,
    Harm::WithoutWal,
    Harm::Garbage,
];

impl Harm {
    /// Does it. `older` is the file as it was before the change.
    pub(crate) fn do_to(self, node: &Node, older: &Copy) {
        let path = node.floors();
        match self {
            Harm::None => {}
            Harm::Deleted => remove(&path),
            Harm::Emptied => put(&path, b""),
            Harm::Cut(eighths) => {
                let whole = std::fs::read(&path).unwrap();
                put(&path, &whole[..whole.len() * eighths / 8]);
            }
            Harm::SetBack => put_copy(&path, older),
            Harm::WithoutWal => {
                std::fs::remove_file(node.audit.join("floors-wal")).ok();
                std::fs::remove_file(node.audit.join("floors-shm")).ok();
            }
            Harm::Flipped(sixteenths) => {
                let mut whole = std::fs::read(&path).unwrap();
                let at = whole.len() * sixteenths / 16;
                whole[at] ^= 0x55;
                put(&path, &whole);
            }
            Harm::Garbage => put(&path, b"floor 3.abcdefgh.00 5 0011223344\n"),
        }
    }

    /// True if it is to be found after a clean close.
    pub(crate) fn shows(self) -> bool {
        !matches!(self, Harm::None | Harm::WithoutWal)
    }
}

pub(crate) fn copy_directory(from: &Path, to: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o700)).unwrap();
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A byte that is another shows where it is read; some bytes of an SQLite file mean nothing.
#[tokio::test]
async fn a_flipped_byte_never_brings_anything_back() {
    use crate::node::{key, secret};
    let node = Node::new().await;
    let (store, floors) = (node.copy_store(), crate::node::copy(&node.floors()));
    node.with(async |operator| drop(operator.keys().set(&key(), secret("three")).await.unwrap()))
        .await;
    let whole = std::fs::read(node.floors()).unwrap();
    for sixteenths in 0..16 {
        node.put_store_back(&store);
        put(&node.floors(), &whole);
        Harm::Flipped(sixteenths).do_to(&node, &floors);
        let vault = node.open().await;
        assert!(node.value(&vault).await.is_err(), "{sixteenths}");
        node.close(vault).await;
    }
}

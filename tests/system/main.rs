//! Promises that no single package can keep, tried on the real programs. This list is the table of contents.

use ibyok_tests::{Home, Programs};

const PROGRAMS: Programs = Programs {
    ibyok: env!("CARGO_BIN_EXE_ibyok-under-test"),
    server: env!("CARGO_BIN_EXE_server-under-test"),
};

fn home_with_vault() -> Home {
    Home::with_vault(PROGRAMS)
}

/// The programs work together at all: what the other tests take for granted.
mod journey;

/// The README's commands, in their order.
mod readme;

/// kill -9 of servers and commands at random moments.
mod kill;

/// kill -9 at each system call that writes, one after the other.
#[cfg(feature = "faults")]
mod kill_at_each_syscall;

/// kill -9 at each call of a backup, a restore and a move that reaches the disk.
#[cfg(feature = "faults")]
mod kill_moves;

/// kill -9 at each call by which new generations of environment keys reach the disk.
#[cfg(feature = "faults")]
mod kill_reseal;

/// kill -9 in the middle of an import.
mod kill_import;

/// A change of the KEK under running servers.
mod kek_change;

/// Each system call fails, one after the other.
#[cfg(feature = "faults")]
mod fail_at_each_syscall;

/// Secrets by every door, looked for everywhere.
mod sentinel;

/// Floods from outside.
mod load;

/// Several programs on one vault at once.
mod two_processes;

/// The command line on a server and on the vault.
mod remote;

/// A rotation with a program that is left behind.
mod rotation_story;
/// Tokens for how they are used.
mod tokens;

/// The progress of long work, on a terminal.
mod bars;

/// Reviews of the log, and proofs of its lines.
mod review;

/// The page of a review in chromium.
#[cfg(feature = "browser")]
mod browser;

/// Log and store changed behind the vault's back.
mod tamper;

/// Records and databases that are damaged: nothing is left out in silence.
mod damaged;

/// Records of environments and of their names that are damaged or missing: the other environments are shown and served.
mod damaged_environments;

/// Environments and tenants that were removed come back for nobody, and those that exist do not vanish unnoticed.
mod removed_environments;

/// Damaged environments that may be whole, or that a token may not know of.
mod given_up_in_vain;

/// Lines of the log that cannot be read: every report made from the log says that it lacks them.
mod unread_lines;

/// Logs that were forged or taken away, and a store that is older than they say.
mod foreign_logs;

/// Old lines of the log: archived, or taken away in other ways.
mod archive;

/// Logs whose last lines were taken away.
mod cut_logs;

/// A node's own records damaged, and its store file replaced.
mod own_records;

/// Logs that began after the copy of the store that was put back.
mod late_logs;

/// Lines that an attacker without a key chains to a log.
mod forged_lines;

/// The file of floors changed and set back, also under a running server: no right that was taken away returns.
mod floors;

/// Bad vaults and bad tokens, each with its documented answer.
mod bad_input;

/// A disk that is small enough to fill.
#[cfg(feature = "faults")]
mod small_disk;

/// Backups, restores and moves that fill a disk half-way.
#[cfg(feature = "faults")]
mod full_moves;

/// Disks that fail, are full, or cannot be written to.
#[cfg(feature = "faults")]
mod outage;

/// Further sinks of the log fail and come back.
mod sinks;

/// The servers that homes of the log are on.
#[cfg(feature = "servers")]
#[path = "../../crates/ibyok-storage/tests/servers/mod.rs"]
mod servers;

/// Nodes without a disk, whose logs are in PostgreSQL or Redis.
#[cfg(feature = "servers")]
mod log_home;

/// Exported files, read by python-dotenv, Node.js, Docker's command line and shells.
#[cfg(feature = "readers")]
mod readers;

/// The `openai` package, started by `ibyok run`.
#[cfg(feature = "python")]
mod openai;

/// A clock that is set.
#[cfg(feature = "faults")]
mod clock;

/// Clients of HashiCorp Vault and OpenBao: hvac, the command line of OpenBao, and node-vault.
#[cfg(all(feature = "python", feature = "readers"))]
mod vault_clients;

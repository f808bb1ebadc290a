//! One interface to an IBYOK vault, whether it is open in this process or behind a server.
//!
//! A program that works on both writes its verbs once, against the trait [`Access`]:
//!
//! ```
//! use ibyok_access::{Access, Local};
//!
//! /// Counts the keys of an environment, in a vault here or behind a server.
//! async fn count(vault: &dyn Access, environment: &str) -> Result<usize, ibyok_access::Error> {
//!     Ok(vault.list(Some(&environment.parse()?)).await?.whole()?.len())
//! }
//!
//! # use ibyok_core::{FileSink, LocalKek, MemoryStore, Namespace, Secret, Vault, keys::KeyWrite};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let builder = Vault::builder().store(MemoryStore::new()).kek(LocalKek::generate()?);
//! # let vault = builder.audit(FileSink::open(place.path()).await?).create().await?;
//! let local = Local::operator(vault, "os:me@here", Namespace::default())?;
//! # local.write(&"dev/openai".parse()?, KeyWrite::from(Secret::copy_of(b"sk-1")), false).await?;
//! assert_eq!(count(&local, "dev").await?, 1);
//! # local.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Local`] is a vault that this process opened, as its operator or as the holder of an access token.
//! - [`Remote`] is a vault behind a server, as the holder of an access token.
//! - [`of_environment`] and [`retrieve_all`] retrieve the keys of an environment under their variables, all of them or none.
//! - [`variables()`] retrieves the values for the variables of a program from every source that a person names.
//!
//! # Cancellation
//! As in the vault and the client: a future that is dropped can leave a change that was made.
//!
//! # Out of scope
//! It reads no environment, prints nothing and opens no vault: a caller hands in a vault or a client, and gets a [`Note`] for each message to
//! a person.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod access;
mod error;
mod fetch;
mod key_argument;
mod listed;
mod local;
mod remote;
mod sent;
mod step;
mod variables;

// The public interface is:
pub use access::{Access, Fetched, IssuedToken};
pub use error::{Error, Result};
pub use fetch::{Exported, Wanted, export_all, of_environment, retrieve_all};
pub use ibyok_operations::Note;
pub use key_argument::KeyArgument;
pub use listed::Listed;
pub use local::{Local, document_of, fetched};
pub use remote::Remote;
pub use step::{Drain, Step};
pub use variables::{Held, VariableRequest, Variables, variables};

/// Refuses where a token belongs to another namespace than the one that the caller asked for.
fn same_namespace(own: &str, asked: &str) -> Result<()> {
    if own == asked {
        return Ok(());
    }
    Err(Error::Vault(ibyok_core::Error::Denied {
        limit: "namespace",
        reason: format!("the token belongs to the namespace `{own}`"),
    }))
}

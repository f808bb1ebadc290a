//! Key-encryption keys, which wrap environment keys.

#[cfg(feature = "aws-kms")]
mod aws_kms;
mod context;
mod contract;
mod keyring;
mod local;
mod own;
mod passphrase;
mod passphrase_cost;
mod refusal;
mod wrapped;

#[cfg(feature = "aws-kms")]
pub use self::aws_kms::{AwsKms, AwsKmsOptions};
pub use self::context::KekContext;
pub use self::contract::Kek;
pub use self::keyring::Keyring;
pub use self::local::LocalKek;
pub use self::passphrase::PassphraseKek;
pub use self::passphrase_cost::PassphraseCost;
pub use self::refusal::KekRefusal;
pub use self::wrapped::{KekDescription, KekId, WrappedKey};

#[cfg(test)]
mod tests;

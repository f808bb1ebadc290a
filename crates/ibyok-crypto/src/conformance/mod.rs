//! What every [`Kek`](crate::Kek) must do, one promise a function, for the tests of those who write one.

mod runtime;

pub use self::runtime::block_on;

//! The review of tokens: those that are wider, older or longer-lived than their use asks for.

mod review;

pub use self::review::{TokenFinding, TokenFindingKind, TokenReviewExt};

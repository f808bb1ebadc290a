//! Importing a `.env` file: the plan for its assignments, storing them, and the secrets still in the rewritten file.
//!
//! ```
//! use ibyok_operations::{dotenv, import};
//!
//! let parsed = dotenv::parse("OPENAI_API_KEY=sk-1\nPATH=/bin\n")?;
//! let plan = import::make(parsed, &"dev".parse()?, false, |_| true)?;
//! assert_eq!(plan.count(import::Outcome::Pending), 1);
//! assert_eq!(plan.left().next().as_deref(), Some("line 2: did not import `PATH`: the variable decides which code a program runs"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod left_over;
mod original;
mod plan;
mod store;

pub use left_over::{LeftOver, left_over};
pub use original::Original;
pub use plan::{Entry, Outcome, Plan, make};
pub use store::{compare, store};

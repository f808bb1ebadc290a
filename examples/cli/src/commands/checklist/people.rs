//! The plan for incidents in the code.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ibyok_operations::checklist::{PLANS, PlanFacts, gaps_in};

use crate::error::{Error, Result};

/// The most that is read of a plan, in bytes.
const PLAN_MAX: u64 = 1 << 20;

/// Reads the plan that is in the code, if there is one.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Failed`] if it cannot be read.
pub(super) fn plan(code: &Path) -> Result<Option<PlanFacts>> {
    let Some(file) = PLANS.into_iter().find(|file| code.join(file).is_file()) else {
        return Ok(None);
    };
    let (path, mut bytes) = (code.join(file), Vec::new());
    File::open(&path)
        .and_then(|file| file.take(PLAN_MAX).read_to_end(&mut bytes))
        .map_err(|error| Error::reading(&path, &error))?;
    let gaps = gaps_in(&String::from_utf8_lossy(&bytes));
    Ok(Some(PlanFacts { file, gaps }))
}

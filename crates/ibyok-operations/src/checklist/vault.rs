//! Checks the items that the vault knows: its tokens, log, incidents, environments and rotations.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_core::{
    Code, Result, Session, Vault,
    audit::WholeLog,
    jiff::{SignedDuration, Timestamp},
    keys::{KeyInfo, reaches_browsers},
    pages::PageRequest,
    tokens::{TokenInfo, TokenState},
};

use super::{Item, some};
use crate::reviews::{ReviewExt as _, ReviewHabits, ReviewRequest};
use crate::rotation::DueExt as _;
use crate::tokens::{TokenFinding, TokenFindingKind, TokenReviewExt as _};

/// A vault that is to be checked, and the facts that it does not know itself.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "a caller names every part")]
pub struct VaultFacts<'a> {
    /// The vault.
    pub vault: &'a Vault,
    /// The session of the operator who checks.
    pub session: &'a Session,
    /// The whole audit log, for an operator who may review it; else the review covers the lines of the session's namespace.
    pub whole_log: Option<&'a WholeLog>,
    /// The way in which the program reviews the log.
    pub review: &'a ReviewHabits,
    /// The file of the KEK, where the KEK is a file.
    pub kek_file: Option<PathBuf>,
    /// The number of days within which the log must have been reviewed.
    pub reviewed_within: u16,
    /// The present time.
    pub now: Timestamp,
}

/// Reads the vault and judges it. Looking at every record takes up to ten minutes in a large vault.
///
/// # Errors
/// The vault's, if a list or the log cannot be read. A damaged record is no error but an open item.
pub async fn of_vault(facts: &VaultFacts<'_>) -> Result<Vec<Item>> {
    let session = facts.session;
    let findings = session.tokens().review().await?;
    Ok(vec![
        records(facts.vault).await?,
        scopes(&findings),
        expiry(session, &findings, facts.now).await?,
        reviewed(facts).await?,
        verified(session).await?,
        incidents(session).await?,
        leaked(session).await?,
        apart(session).await?,
        browsers(session).await?,
        rotation(session).await?,
        kek(facts.kek_file.as_deref()),
    ])
}

/// The number of keys that are listed at once.
const PAGE: usize = 1000;

/// The longest time for which the checklist looks for damaged records.
const SURVEY: Duration = Duration::from_secs(600);

async fn records(vault: &Vault) -> Result<Item> {
    let records = vault.records_status(SURVEY).await?;
    let remedy = "`ibyok status` lists them; restore a backup, or remove a record with `ibyok keys remove --damaged ID`, `ibyok tokens \
                  revoke --damaged ID` or `ibyok envs remove --damaged ID`";
    if records.damaged > 0 {
        let ids: Vec<String> = records.records.iter().map(|record| record.id.clone()).collect();
        let (damaged, are) = (records.damaged, is_or_are(records.damaged));
        let detail = format!("{damaged} of {} {are} damaged: {}", records.checked, some(&ids));
        return Ok(Item::open("records-whole", detail, remedy));
    }
    if !records.complete {
        let detail = format!("the check stopped after {}", counted(records.checked, "record"));
        return Ok(Item::open(
            "records-whole",
            detail,
            "run the checklist again when the store has less load",
        ));
    }
    Ok(Item::ok(
        "records-whole",
        format!("{} checked; no record is damaged", counted(records.checked, "record")),
    ))
}

fn named(findings: &[TokenFinding], which: &[TokenFindingKind]) -> Vec<String> {
    let found = findings.iter().filter(|finding| which.contains(&finding.finding));
    found.map(|finding| finding.name.clone()).collect()
}

fn scopes(findings: &[TokenFinding]) -> Item {
    let wide = named(
        findings,
        &[
            TokenFindingKind::WiderThanUsed,
            TokenFindingKind::Unused,
            TokenFindingKind::NeverUsed,
        ],
    );
    if wide.is_empty() {
        return Item::ok("token-scopes", "every token is in use and allows no more than it uses");
    }
    let detail = format!("these tokens allow more than they use, or are unused: {}", some(&wide));
    Item::open(
        "token-scopes",
        detail,
        "`ibyok tokens review` prints a narrower replacement",
    )
}

/// The largest number of days until a token's expiry. `docs/checklist.md` repeats the number.
pub(super) const TOKEN_DAYS: i64 = 400;

const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(TOKEN_DAYS * 24);

async fn expiry(session: &Session, findings: &[TokenFinding], now: Timestamp) -> Result<Item> {
    let mut long = named(findings, &[TokenFindingKind::NeverExpires]);
    let latest = now.checked_add(TOKEN_LIFE).unwrap_or(Timestamp::MAX);
    let mut page = Some(PageRequest::default());
    while let Some(asked) = page {
        let found = session.tokens().list(&asked).await?;
        page = asked.following(&found);
        let late =
            |token: &&TokenInfo| token.state == TokenState::Valid && token.expires_at.is_some_and(|end| end > latest);
        long.extend(found.items.iter().filter(late).map(|token| token.name.clone()));
    }
    if long.is_empty() {
        return Ok(Item::ok(
            "token-expiry",
            format!("every token expires within {TOKEN_DAYS} days"),
        ));
    }
    let detail = format!("these tokens do not expire within {TOKEN_DAYS} days: {}", some(&long));
    Ok(Item::open(
        "token-expiry",
        detail,
        "issue tokens that expire sooner, then revoke these",
    ))
}

async fn reviewed(facts: &VaultFacts<'_>) -> Result<Item> {
    let (within, now) = (facts.reviewed_within, facts.now);
    let bound = SignedDuration::from_hours(24 * i64::from(within));
    let done = facts.session.reviews().last().await?;
    let open = open_findings(facts, now.checked_sub(bound).unwrap_or(Timestamp::MIN)).await?;
    let detail = match &done {
        Some(done) if now.duration_since(done.at) <= bound => {
            return Ok(Item::ok(
                "log-reviewed",
                format!("reviewed by {} on {:.0}{open}", done.by, done.at),
            ));
        }
        Some(done) => {
            let days = counted(within, "day");
            format!(
                "last reviewed by {} on {:.0}, more than {days} ago{open}",
                done.by, done.at
            )
        }
        None => format!("no review of the log is recorded{open}"),
    };
    Ok(Item::open(
        "log-reviewed",
        detail,
        "run `ibyok audit review`, then `ibyok audit review --done`",
    ))
}

/// Returns the findings of a review since a time that nobody has acknowledged, as the end of a sentence; an empty
/// text if there are none.
async fn open_findings(facts: &VaultFacts<'_>, since: Timestamp) -> Result<String> {
    let request = ReviewRequest::since(since).habits(facts.review);
    let reviews = match facts.whole_log {
        Some(log) => log.reviews(),
        None => facts.session.reviews(),
    };
    let review = reviews.run(&request).await;
    let review = match review {
        Ok(review) => review,
        // Another review is running. Its own report counts the findings, so this item leaves the count out.
        Err(error) if matches!(error.code(), Code::Unavailable | Code::Kek | Code::Closed) => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    Ok(match review.open {
        0 => String::new(),
        count => format!("; {} {} open", counted(count, "finding"), is_or_are(count)),
    })
}

async fn verified(session: &Session) -> Result<Item> {
    let report = session.audit().verify(&[]).await?;
    if report.ok {
        return Ok(Item::ok(
            "log-whole",
            format!("{} verified", counted(report.events, "line")),
        ));
    }
    Ok(Item::open(
        "log-whole",
        "the audit log was changed after it was written",
        "`ibyok audit verify` names the first bad line",
    ))
}

async fn incidents(session: &Session) -> Result<Item> {
    let open = session
        .incidents()
        .list(ibyok_core::incidents::IncidentsShown::Open)
        .await?;
    if open.is_empty() && !open.incomplete {
        return Ok(Item::ok("incidents-closed", "no incident is open"));
    }
    let names: Vec<String> = open.iter().map(|incident| incident.reference.clone()).collect();
    let detail = match (names.is_empty(), open.incomplete) {
        (true, _) => "the record of an incident is damaged".to_owned(),
        (false, true) => format!("open: {}; the record of another incident is damaged", some(&names)),
        (false, false) => format!("open: {}", some(&names)),
    };
    Ok(Item::open(
        "incidents-closed",
        detail,
        "`ibyok incident report` lists the remaining steps",
    ))
}

/// Keys that serve a value that leaked, under whichever name.
async fn leaked(session: &Session) -> Result<Item> {
    let served = session.incidents().served_leaked().await?;
    if served.is_empty() && !served.incomplete {
        return Ok(Item::ok("leaked-values", "no key serves a leaked value"));
    }
    let names = served.iter().map(|key| match key.marked {
        true => key.reference.clone(),
        false => format!("{} (not marked)", key.reference),
    });
    let names: Vec<String> = names.collect();
    let detail = match names.is_empty() {
        true => "a damaged record may hide a key that serves a leaked value".to_owned(),
        false => format!("these keys serve a leaked value: {}", some(&names)),
    };
    Ok(Item::open(
        "leaked-values",
        detail,
        "replace the value with `ibyok rotate stage` and `ibyok rotate promote`; `ibyok incident open` marks an unmarked version",
    ))
}

/// Keys under variables that build tools copy into web pages.
async fn browsers(session: &Session) -> Result<Item> {
    let keys = every_key(session).await?;
    let public = keys.iter().filter_map(|key| {
        let tool = reaches_browsers(&key.variable)?;
        Some(format!("{} as {} ({tool})", key.reference, key.variable))
    });
    let public: Vec<String> = public.collect();
    if public.is_empty() {
        return Ok(Item::ok(
            "browser-variables",
            "no key is in a variable that build tools send to browsers",
        ));
    }
    Ok(Item::open(
        "browser-variables",
        format!("build tools send these keys to browsers: {}", some(&public)),
        "rename the variable with `ibyok keys edit --var`; use such variables only for keys that are public by design",
    ))
}

async fn every_key(session: &Session) -> Result<Vec<KeyInfo>> {
    let (mut keys, mut page) = (Vec::new(), Some(PageRequest::default().limit(PAGE)));
    while let Some(asked) = page {
        let found = session.keys().list(None, &asked).await?;
        page = asked.following(&found);
        keys.extend(found.items);
    }
    Ok(keys)
}

async fn apart(session: &Session) -> Result<Item> {
    let shared = session.known_values().shared().await?;
    if shared.is_empty() && shared.incomplete {
        return Ok(Item::open(
            "environments-apart",
            "a damaged record may hide a value that environments share",
            "`ibyok status` lists damaged records",
        ));
    }
    if shared.is_empty() {
        return Ok(Item::ok("environments-apart", "each environment has its own values"));
    }
    let groups: Vec<String> = shared.iter().map(|shared| shared.keys.join(" = ")).collect();
    Ok(Item::open(
        "environments-apart",
        some(&groups),
        "create a separate key for each environment at the provider, and rotate",
    ))
}

async fn rotation(session: &Session) -> Result<Item> {
    let due = session.rotation().due(None).await?;
    let overdue = due.iter().filter(|due| due.overdue);
    let overdue: Vec<String> = overdue
        .map(|due| due.reference.clone().unwrap_or_else(|| due.name.clone()))
        .collect();
    if overdue.is_empty() {
        return Ok(Item::ok("rotation", "no rotation is overdue"));
    }
    Ok(Item::open(
        "rotation",
        some(&overdue),
        "`ibyok rotate due` lists them with the reasons",
    ))
}

/// Checks the permissions of the KEK's file: a person who can read the KEK and the store can read every key.
fn kek(file: Option<&Path>) -> Item {
    let Some(file) = file else {
        return Item::ok("kek", "the KEK is not a file");
    };
    match std::fs::metadata(file) {
        Ok(meta) if meta.mode() & 0o077 == 0 => Item::ok("kek", "only its owner can read the KEK"),
        Ok(_) => Item::open(
            "kek",
            "other users can read the KEK",
            format!("chmod 600 {}", file.display()),
        ),
        Err(error) => Item::open(
            "kek",
            format!("cannot read the permissions of the KEK's file: {error}"),
            "check that the file exists in its place",
        ),
    }
}

//! The plan for incidents.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use ibyok_api::KeyInfo;
use ibyok_core::providers::Catalogue;

use crate::cell::Cell;
use crate::clean;

/// Writes a plan for incidents as Markdown, for a team's repository: the steps, and the page of each provider at which keys are revoked. The
/// plan names the keys, and holds no value.
pub fn plan<K: Borrow<KeyInfo>>(keys: impl IntoIterator<Item = K>) -> String {
    let mut providers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in keys {
        let key = key.borrow();
        let references = providers.entry(key.provider.cell()).or_default();
        references.push(key.reference.clone());
    }
    let mut out = String::from(HEAD);
    out.push_str("\n| provider | keys | where its keys are revoked |\n| --- | --- | --- |\n");
    for (id, references) in &providers {
        let known = Catalogue::builtin().get(id);
        let name = known.map_or_else(|| cell(id), |provider| cell(provider.name()));
        let page = known.map_or("(find out, and write it here)", |provider| provider.revoke_url());
        let references: Vec<String> = references
            .iter()
            .map(|reference| format!("`{}`", cell(reference)))
            .collect();
        out.push_str(&format!("| {name} | {} | {page} |\n", references.join(", ")));
    }
    out.push_str(TAIL);
    out
}

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    let plain = clean(text);
    plain
        .chars()
        .map(|c| if matches!(c, '|' | '`' | '<' | '\n') { ' ' } else { c })
        .collect()
}

const HEAD: &str = "\
# When a key leaks

Keep this page where everybody finds it, and go through it once a year as if it were real.

- Who decides (and who if they are away): …
- Where we talk while it lasts: …
- Who tells customers, and the authorities where the law asks for it: …

## In the first ten minutes

1. Make a new key at the provider, then `ibyok incident open REF --reason \"what happened\" --since WHEN --replace`: it marks the leaked
   version, asks for the new value and makes it current, and says what remains. Add `--revoke-readers WHEN` if a token may have leaked
   with it.
2. Is there no new key yet, and must the leaked one stop at once? Give `--freeze` instead of `--replace` (programs that read the key fail).
   Later, give the same command with `--replace`, then `ibyok keys enable REF`.
3. Revoke the leaked value at the provider:
";

const TAIL: &str = "
## In the first day

4. `ibyok incident report REF`: who read it and from where, what else they could read and did. Look at the provider's own usage.
5. `ibyok audit review --since 7d`: what else was unusual. `ibyok audit verify`: whether the log is whole.
6. `ibyok scan . --history`: where the value stands in code. It stays in git's history: that is why it is revoked, not deleted.
7. `ibyok rotate status REF`: who has not yet read the new version; then `ibyok rotate destroy REF --version N`.

## Afterwards

8. `ibyok incident close REF --cause \"…\" --prevention \"…\"`, in the words of somebody who was there.
9. Mend the cause. `ibyok checklist` says what else is open.
";

//! Tokens that a rotated or revoked token issued, and that stay valid.

use serde_json::Value;

use super::super::Cx;
use crate::show::clean;
use crate::table::{at, text};

/// Names the tokens that stay valid, with the command that revokes each. `null` says that they could not be read.
pub(super) fn say_valid(children: &Value, cx: &mut Cx<'_>) {
    let Some(children) = children.as_array() else {
        cx.io
            .warn("the tokens that it issued could not be read: `tokens list` shows them");
        return;
    };
    if children.is_empty() {
        return;
    }
    cx.io
        .say("tokens that it issued stay valid (`--revoke-children` revokes them):");
    for child in children {
        let (id, name) = (text(at(child, "id")), clean(&text(at(child, "name"))));
        cx.io.say(&format!("  ibyok tokens revoke {id}    {name}"));
    }
}

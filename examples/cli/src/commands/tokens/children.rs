//! Tokens that a rotated or revoked token issued, and that stay valid.

use ibyok_api::ChildToken;

use super::super::Cx;
use crate::show::clean;

/// Names the tokens that stay valid, with the command that revokes each. `None` says that they could not be read.
pub(super) fn say_valid(children: Option<&[ChildToken]>, cx: &mut Cx<'_>) {
    let Some(children) = children else {
        cx.io
            .warn("cannot read the tokens that it issued; `ibyok tokens list` lists them");
        return;
    };
    if children.is_empty() {
        return;
    }
    cx.io
        .say("tokens that it issued stay valid (`--revoke-children` revokes them):");
    for child in children {
        cx.io
            .say(&format!("  ibyok tokens revoke {}    {}", child.id, clean(&child.name)));
    }
}

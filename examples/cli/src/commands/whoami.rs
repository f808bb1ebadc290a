//! `ibyok whoami`

use super::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::at;

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let whoami = access.whoami().await?;
        let place = if at(&whoami, "url").is_string() {
            ("server", "url")
        } else {
            ("vault", "vault")
        };
        let mut facts = vec![place, ("kind", "kind"), ("id", "id"), ("namespace", "namespace")];
        if at(&whoami, "kind") == "token" {
            facts.extend([
                ("name", "name"),
                ("scopes", "grant.scopes"),
                ("environments", "grant.environments"),
                ("all environments", "grant.all_environments"),
                ("keys", "grant.keys"),
                ("networks", "grant.cidrs"),
                ("self-rotate", "grant.self_rotate"),
                ("restrictions", "restrictions"),
                ("expires", "expires_at"),
            ]);
        }
        facts.push(("because", "why"));
        cx.answer_one(&whoami, &facts)
    })
    .await
}

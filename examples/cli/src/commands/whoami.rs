//! `ibyok whoami`

use ibyok_api::{Grant, PrincipalKind, WhoAmI};
use serde_json::Value;

use super::Cx;
use crate::error::Result;
use crate::exit::Exit;
use ibyok_reports::cell::{Cell, if_set, joined};

pub(super) async fn run(cx: &mut Cx<'_>) -> Result<Exit> {
    cx.with_access(async |access, cx| {
        let whoami = access.whoami().await?;
        let own = |name: &str| {
            whoami
                .json()
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .cell()
        };
        let place = if whoami.json().get("url").is_some() {
            ("server", own("url"))
        } else {
            ("vault", own("vault"))
        };
        let mut facts = vec![
            place,
            ("kind", whoami.kind.cell()),
            ("id", whoami.id.cell()),
            ("namespace", whoami.namespace.cell()),
        ];
        if whoami.kind == PrincipalKind::Token {
            facts.extend(of_token(&whoami));
        }
        facts.push(("because", own("why")));
        cx.answer_facts(&whoami, &facts)
    })
    .await
}

/// The facts of an access token.
fn of_token(whoami: &WhoAmI) -> Vec<(&'static str, String)> {
    let none = Grant::default();
    let grant = whoami.grant.as_ref().unwrap_or(&none);
    vec![
        ("name", whoami.name.cell()),
        ("scopes", grant.scopes.cell()),
        ("environments", grant.environments.cell()),
        ("all environments", if_set(grant.all_environments)),
        ("keys", grant.keys.cell()),
        ("networks", joined(grant.cidrs.iter().flatten())),
        ("self-rotate", if_set(grant.self_rotate)),
        ("restrictions", whoami.restrictions.cell()),
        ("expires", whoami.expires_at.cell()),
    ]
}

//! The routes under `sys`: health, and the pre-flight of `vault kv`. Their documents have no envelope.

use axum::http::StatusCode;
use axum::response::Response;
use ibyok_core::jiff::Timestamp;
use serde::Serialize;
use url::form_urlencoded;

use super::answer::{self};
use super::call::{Call, Verb};
use super::path::{Mount, SystemRoute};
use crate::answer::{Answer, json, ok};
use crate::problem::Problem;
use crate::router::Shared;

/// The version of Vault whose interface this is. Clients parse it and choose features by it.
const VERSION: &str = "1.15.0-ibyok";

const CLUSTER: &str = "ibyok";

#[derive(Serialize)]
struct Health {
    initialized: bool,
    sealed: bool,
    standby: bool,
    performance_standby: bool,
    replication_performance_mode: &'static str,
    replication_dr_mode: &'static str,
    server_time_utc: i64,
    version: &'static str,
    cluster_name: &'static str,
}

#[derive(Serialize)]
struct SealStatus {
    #[serde(rename = "type")]
    kind: &'static str,
    initialized: bool,
    sealed: bool,
    t: u32,
    n: u32,
    progress: u32,
    nonce: &'static str,
    version: &'static str,
    build_date: &'static str,
    migration: bool,
    recovery_seal: bool,
    cluster_name: &'static str,
    storage_type: &'static str,
}

#[derive(Serialize)]
struct Init {
    initialized: bool,
}

#[derive(Serialize)]
struct Leader {
    ha_enabled: bool,
    is_self: bool,
    leader_address: &'static str,
    leader_cluster_address: &'static str,
    performance_standby: bool,
    performance_standby_last_remote_wal: u64,
}

/// Answers a route that anybody may ask.
pub(super) async fn answer(call: Call, route: SystemRoute) -> Answer {
    if !matches!(call.verb, Verb::Read | Verb::Head) {
        return Err(call.refuse_method("GET, HEAD"));
    }
    match route {
        SystemRoute::Health => health(&call.shared, call.raw_query()).await,
        SystemRoute::Init => ok(&Init { initialized: true }),
        SystemRoute::SealStatus => ok(&SealStatus {
            kind: "kek",
            initialized: true,
            sealed: is_sealed(&call.shared).await,
            t: 0,
            n: 0,
            progress: 0,
            nonce: "",
            version: VERSION,
            build_date: "",
            migration: false,
            recovery_seal: true,
            cluster_name: CLUSTER,
            storage_type: CLUSTER,
        }),
        SystemRoute::Leader => ok(&Leader {
            ha_enabled: false,
            is_self: false,
            leader_address: "",
            leader_cluster_address: "",
            performance_standby: false,
            performance_standby_last_remote_wal: 0,
        }),
    }
}

/// Returns true if the vault cannot serve: for Vault's clients it is sealed.
async fn is_sealed(shared: &Shared) -> bool {
    !shared.readiness.of(&shared.vault).await.is_ready()
}

async fn health(shared: &Shared, query: Option<&str>) -> Answer {
    let sealed = is_sealed(shared).await;
    let (name, usual) = match sealed {
        true => ("sealedcode", StatusCode::SERVICE_UNAVAILABLE),
        false => ("activecode", StatusCode::OK),
    };
    let status = chosen(query, name)?.unwrap_or(usual);
    json(
        status,
        &Health {
            initialized: true,
            sealed,
            standby: false,
            performance_standby: false,
            replication_performance_mode: "disabled",
            replication_dr_mode: "disabled",
            server_time_utc: Timestamp::now().as_second(),
            version: VERSION,
            cluster_name: CLUSTER,
        },
    )
}

/// Returns the status that the caller chose for a state. Load balancers choose them.
fn chosen(query: Option<&str>, name: &str) -> Result<Option<StatusCode>, Problem> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let Some((_, value)) = pairs.find(|(other, _)| other == name) else {
        return Ok(None);
    };
    let status = value.parse().ok().filter(|status| (200..=599).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let wrong = || Problem::invalid("a status in the query is not a number from 200 to 599");
    status.map(Some).ok_or_else(wrong)
}

#[derive(Serialize)]
struct MountInfo<'a> {
    path: String,
    #[serde(rename = "type")]
    kind: &'static str,
    options: MountOptions,
    description: &'static str,
    accessor: String,
    local: bool,
    seal_wrap: bool,
    external_entropy_access: bool,
    uuid: &'a str,
}

#[derive(Serialize)]
struct MountOptions {
    version: &'static str,
}

/// GET `sys/internal/ui/mounts/{path}`: `vault kv` asks it for the version of the mount before anything else.
pub(super) async fn mounts(mut call: Call, mount: Mount) -> Result<Response, Problem> {
    if call.verb != Verb::Read {
        return Err(call.refuse_method("GET"));
    }
    let session = call.session().await?;
    session.whoami().await?;
    if mount == Mount::Other {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "denied",
            "the path is in no mount of this server",
        ));
    }
    let name = &call.shared.options.vault_mount;
    answer::ok(
        &call.id,
        MountInfo {
            path: format!("{name}/"),
            kind: "kv",
            options: MountOptions { version: "2" },
            description: "",
            accessor: format!("kv_{name}"),
            local: false,
            seal_wrap: false,
            external_entropy_access: false,
            uuid: "",
        },
    )
}

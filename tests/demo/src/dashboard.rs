//! The dashboard, and what its buttons do.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use dogpile_cache::{Backend, Clock, Error, Invalidation, KeyBuf, SystemClock, Timestamp};
use dogpile_core::SetOptions;

use crate::shop::Shop;
use crate::{events, goods, load, products};

const PAGE: &str = include_str!("assets/dashboard.html");

pub(crate) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/dashboard", get(Html(PAGE)))
        .route("/dashboard/events", get(events::stream))
        .route("/dashboard/state", get(events::state))
        .route("/dashboard/expire", post(expire))
        .route("/dashboard/expire-all", post(expire_all))
        .route("/dashboard/delete", post(delete))
        .route("/dashboard/database/{state}", post(database))
        .route("/dashboard/load/{per_second}", post(set_load))
        .route("/dashboard/nodes/{name}/{what}", post(node))
        .route("/assets/dashboard.css", text("text/css", include_str!("assets/dashboard.css")))
        .route("/assets/dashboard.js", text(SCRIPT, include_str!("assets/dashboard.js")))
        .route("/assets/icon.svg", text("image/svg+xml", include_str!("assets/icon.svg")))
        .route("/assets/plots.js", text(SCRIPT, include_str!("assets/plots.js")))
        .route("/assets/ring.js", text(SCRIPT, include_str!("assets/ring.js")))
        .route("/assets/listing.js", text(SCRIPT, include_str!("assets/listing.js")))
        .route("/assets/shop.css", text("text/css", include_str!("assets/shop.css")))
}

const SCRIPT: &str = "text/javascript";

fn text(kind: &'static str, body: &'static str) -> axum::routing::MethodRouter<Arc<Shop>> {
    get(move || async move { ([(header::CONTENT_TYPE, kind)], body) })
}

/// The list that everybody wants grows old at this moment: it is served on while somebody creates
/// the next one.
async fn expire(State(shop): State<Arc<Shop>>) -> Result<StatusCode, Refusal> {
    let (key, store) = (&shop.keys[0].key, shop.nodes.store());
    let Some(mut entry) = store.get(key.as_key()).await? else {
        return Err(Refusal("it is not cached: nothing can expire".to_owned()));
    };
    // An entry is as old as its stamp says.
    let fresh_for = shop.products.options().expiry.duration().unwrap_or_default();
    let fresh_for = u64::try_from(fresh_for.as_millis()).unwrap_or(u64::MAX);
    let then = SystemClock.now().as_millis().saturating_sub(fresh_for + 1);
    entry.created = entry.created.min(Timestamp::from_millis(then));
    let options = SetOptions::new().with_keep_for(shop.products.options().hard_deadline);
    store.set_many(&[(key.as_key(), entry)], &options).await?;
    shop.events.note(format!("{} expired", goods::WANTED));
    Ok(StatusCode::NO_CONTENT)
}

/// Everything grows old at this moment.
async fn expire_all(State(shop): State<Arc<Shop>>) -> Result<StatusCode, Refusal> {
    for region in [&shop.products, &shop.pages, &shop.fragments] {
        region.invalidate(Invalidation::Soft).await?;
    }
    shop.events.note("everything expired");
    Ok(StatusCode::NO_CONTENT)
}

/// The list that everybody wants is gone: all have to wait for the next one.
async fn delete(State(shop): State<Arc<Shop>>) -> Result<StatusCode, Refusal> {
    products::list::invalidate(Arc::clone(&shop), goods::WANTED.to_owned()).await?;
    shop.events.note(format!("{} deleted", goods::WANTED));
    Ok(StatusCode::NO_CONTENT)
}

async fn database(
    State(shop): State<Arc<Shop>>,
    Path(state): Path<String>,
) -> Result<StatusCode, Refusal> {
    match state.as_str() {
        "slow" | "quick" => shop.database.slow_down(state == "slow"),
        "broken" | "mended" => shop.database.break_down(state == "broken"),
        _ => return Err(Refusal("it is slow, quick, broken or mended".to_owned())),
    }
    shop.events.note(format!("database {state}"));
    Ok(StatusCode::NO_CONTENT)
}

async fn set_load(
    State(shop): State<Arc<Shop>>,
    Path(per_second): Path<u32>,
) -> Result<StatusCode, Refusal> {
    if per_second > load::MOST {
        return Err(Refusal(format!("at most {} requests a second", load::MOST)));
    }
    shop.load.set(per_second);
    shop.events.note(format!("load {per_second}/s"));
    Ok(StatusCode::NO_CONTENT)
}

async fn node(
    State(shop): State<Arc<Shop>>,
    Path((name, what)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let keys: Vec<KeyBuf> = shop.keys.iter().map(|key| key.key.clone()).collect();
    match what.as_str() {
        "kill" => shop.nodes.kill(&name, &keys).await?,
        "revive" => shop.nodes.revive(&name, &keys).await?,
        _ => return Err(Refusal("a node is killed or revived".to_owned())),
    }
    shop.events.note(format!("{name} {what}{}", if what == "kill" { "ed" } else { "d" }));
    Ok(StatusCode::NO_CONTENT)
}

/// Why a button did nothing.
#[derive(Debug)]
struct Refusal(String);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (StatusCode::CONFLICT, self.0 + "\n").into_response()
    }
}

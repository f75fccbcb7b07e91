//! One function, four ways to show what it answers. Which one is said by the route.

use std::future::Future;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use cookie_session::RequestSession;
use dogpile_cache::Error;
use minijinja::value::{Serde, Value};
use serde::Serialize;
use serde_json::json;

use crate::login::Visitor;
use crate::shop::Shop;
use crate::{goods, login, pages};

/// What handlers are given of the shop.
type Extract = State<Arc<Shop>>;

/// How to show it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum As {
    /// The data.
    Json,
    /// A page, rendered here.
    Page(&'static str),
    /// A part of a page, rendered here.
    Fragment(&'static str),
    /// A page that asks this address for the data, and renders it in the browser.
    InBrowser(&'static str),
}

/// The route of a function of a category.
pub(crate) fn shown<F, Fut, T>(function: F, how: As) -> MethodRouter<Arc<Shop>>
where
    F: Fn(Arc<Shop>, String) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<T, Error>> + Send + 'static,
    T: Serialize + Send + 'static,
{
    get(async move |State(shop): Extract, Path(category): Path<String>, request: RequestSession| {
        if !goods::has(&category) {
            return Ok((StatusCode::NOT_FOUND, "there is no such category\n").into_response());
        }
        // It does not run before somebody waits for it, which nobody does where a page is cached.
        let answer = function(Arc::clone(&shop), category.clone());
        Ok::<_, Failure>(match how {
            As::Json => Json(answer.await?).into_response(),
            As::Fragment(template) => {
                Html(rendered(&shop, template, category, answer).await?).into_response()
            }
            As::Page(template) => {
                let visitor = login::visitor(&request.session().await?)?;
                match rendered(&shop, template, category.clone(), answer).await {
                    Ok(content) => page(&shop, &category, &content, &visitor)?,
                    Err(error) => sorry(&shop, &error, &visitor)?,
                }
            }
            As::InBrowser(data) => {
                let visitor = login::visitor(&request.session().await?)?;
                let content = shop.templates.in_browser(&data.replace("{category}", &category))?;
                page(&shop, &category, &content, &visitor)?
            }
        })
    })
}

async fn rendered<T: Serialize + Send + 'static>(
    shop: &Arc<Shop>,
    template: &'static str,
    category: String,
    answer: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<String, Error> {
    let values = async { Ok(Value::from(Serde(answer.await?))) };
    pages::rendered(Arc::clone(shop), template, category, Box::pin(values)).await
}

/// The frame around every page. It is the visitor's own, so it is not cached.
pub(crate) fn page(
    shop: &Shop,
    title: &str,
    content: &str,
    visitor: &Visitor,
) -> Result<Response, Error> {
    Ok(Html(shop.templates.frame(title, content, visitor)?).into_response())
}

/// The page for a value that is neither cached nor to be had.
fn sorry(shop: &Shop, error: &Error, visitor: &Visitor) -> Result<Response, Error> {
    let page = page(shop, "sorry", &shop.templates.sorry(&error.to_string())?, visitor)?;
    Ok((StatusCode::SERVICE_UNAVAILABLE, RETRY, page).into_response())
}

/// When to try again, in seconds.
const RETRY: [(header::HeaderName, &str); 1] = [(header::RETRY_AFTER, "1")];

/// What could not be done, as a response.
#[derive(Debug)]
pub(crate) enum Failure {
    Cache(Error),
    Session(cookie_session::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

impl From<cookie_session::Error> for Failure {
    fn from(error: cookie_session::Error) -> Self {
        Self::Session(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Session(error) => error.into_response(),
            Self::Cache(error) => {
                let why = json!({ "error": error.to_string() });
                (StatusCode::SERVICE_UNAVAILABLE, RETRY, Json(why)).into_response()
            }
        }
    }
}

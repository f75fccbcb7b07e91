//! Templates, and the fragments of them that are cached in a region.
//!
//! A template says itself what is cached, and under which name:
//!
//! ```jinja
//! {% call cached("card", product.id) %}<li>{{ product.name }}</li>{% endcall %}
//! ```

use std::fmt;
use std::sync::Arc;

use dogpile_cache::{Error, ErrorKind, KeyBuf, ToKey};
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, State, context};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::login::Visitor;
use crate::shop::Region;

const TEMPLATES: [(&str, &str); 6] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("grid.html", include_str!("templates/grid.html")),
    ("home.html", include_str!("templates/home.html")),
    ("in_browser.html", include_str!("templates/in_browser.html")),
    ("sorry.html", include_str!("templates/sorry.html")),
    ("products.html", include_str!("templates/products.html")),
];

/// The templates of the shop.
#[derive(Clone)]
pub(crate) struct Templates(Arc<Environment<'static>>);

impl Templates {
    /// All of them, with `cached` in this region.
    pub(crate) fn new(region: Region) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        for (name, source) in TEMPLATES {
            environment.add_template(name, source)?;
        }
        environment.add_filter("money", |cents: u32| format!("{}.{:02}", cents / 100, cents % 100));
        let cached = move |state: &mut State<'_, '_>, name: &str, id: u32, body: Kwargs| {
            let body: Value = body.get("caller")?;
            let render = || body.call(state, &[]).map(|html| html.to_string());
            fragment(&region, key(name, id), render).map(Value::from_safe_string)
        };
        environment.add_function("cached", cached);
        Ok(Self(Arc::new(environment)))
    }

    /// Renders on a thread that may wait: for a fragment, somebody else may be at it.
    pub(crate) async fn render(
        &self,
        template: &'static str,
        values: Value,
    ) -> Result<String, Error> {
        let environment = Arc::clone(&self.0);
        let work = move || environment.get_template(template)?.render(values);
        match tokio::task::spawn_blocking(work).await {
            Ok(rendered) => rendered.map_err(unrendered),
            Err(stopped) => Err(Error::from_creator(stopped)),
        }
    }

    /// The frame of a page.
    pub(crate) fn frame(
        &self,
        title: &str,
        content: &str,
        visitor: &Visitor,
    ) -> Result<String, Error> {
        let content = Value::from_safe_string(content.to_owned());
        let (visitor, categories) = (Value::from(Serde(visitor)), categories());
        self.in_place("frame.html", context! { title, content, visitor, categories })
    }

    /// What the front page shows.
    pub(crate) fn home(&self) -> Result<String, Error> {
        self.in_place("home.html", context! { categories => categories() })
    }

    /// What renders the data from this address in the browser.
    pub(crate) fn in_browser(&self, data: &str) -> Result<String, Error> {
        self.in_place("in_browser.html", context! { data })
    }

    /// What a page shows that cannot be had.
    pub(crate) fn sorry(&self, why: &str) -> Result<String, Error> {
        self.in_place("sorry.html", context! { why })
    }

    /// For templates without fragments, which wait for nobody.
    fn in_place(&self, template: &str, values: Value) -> Result<String, Error> {
        let rendered = self.0.get_template(template).and_then(|found| found.render(values));
        rendered.map_err(unrendered)
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

/// The key of a fragment.
pub(crate) fn key(name: &str, id: u32) -> KeyBuf {
    ("fragment", name, id).to_key().as_key().into()
}

/// The fragment under this key, rendered if it has to be.
///
/// A template is rendered on one thread, and its state does not leave it. So the creation, which
/// belongs to the region and may be any task's, asks this thread for what it needs.
fn fragment(
    region: &Region,
    key: KeyBuf,
    render: impl FnOnce() -> Result<String, minijinja::Error>,
) -> Result<String, minijinja::Error> {
    let (ask, asked) = oneshot::channel::<oneshot::Sender<Result<String, minijinja::Error>>>();
    let (tell, told) = oneshot::channel();
    let region = region.clone();
    Handle::current().spawn(async move {
        let create = || async move {
            let (answer, rendered) = oneshot::channel();
            ask.send(answer).map_err(|_| gone())?;
            rendered.await.map_err(|_| gone())?.map_err(unrendered)
        };
        // Nobody listens any more if the template failed.
        let _ = tell.send(region.get_or_create::<String, _, _, _>(key, create).await);
    });
    // Without a question it was found, or somebody else renders it.
    if let Ok(answer) = asked.blocking_recv() {
        let _ = answer.send(render());
    }
    let value = told.blocking_recv().unwrap_or_else(|_| Err(gone()));
    value.map_err(|error| failed("a fragment could not be had").with_source(error))
}

fn categories() -> Value {
    Value::from(Serde(crate::goods::CATEGORIES.map(|(name, _)| name)))
}

fn failed(what: &'static str) -> minijinja::Error {
    minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, what)
}

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "the rendering of a fragment was stopped")
}

fn unrendered(error: minijinja::Error) -> Error {
    Error::new(ErrorKind::Encode, "a template could not be rendered").with_source(error)
}

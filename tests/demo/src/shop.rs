//! What the shop is made of.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dogpile_cache::codec::MsgPack;
use dogpile_cache::{KeyBuf, WhenDown};

use crate::arguments::{Arguments, Servers};
use crate::database::Database;
use crate::events::Events;
use crate::fragments::Templates;
use crate::load::Load;
use crate::meters::{Meters, Watch};
use crate::nodes::{Nodes, Store};
use crate::{fragments, goods, pages, products};

/// A cache region: where, for how long, in which form.
pub(crate) type Region = dogpile_cache::Region<Store, MsgPack>;

/// Old values are kept this long, so that there is something to serve while the database is away.
const KEPT_FOR: Duration = Duration::from_secs(3_600);

/// Everything, shared by all requests.
#[derive(Debug)]
pub(crate) struct Shop {
    pub(crate) database: Database,
    pub(crate) nodes: Nodes,
    /// Product lists, as the database answers them.
    pub(crate) products: Region,
    /// Pages and parts of pages, as they are sent.
    pub(crate) pages: Region,
    /// Fragments of templates.
    pub(crate) fragments: Region,
    pub(crate) templates: Templates,
    pub(crate) meters: Meters,
    pub(crate) events: Events,
    pub(crate) load: Load,
    /// Every key that the shop may ask its cache for.
    pub(crate) keys: Vec<ShopKey>,
}

/// A key, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct ShopKey {
    pub(crate) key: KeyBuf,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Products,
    Page,
    Fragment,
}

impl Shop {
    pub(crate) async fn open(
        arguments: &Arguments,
        folder: &Path,
    ) -> Result<Arc<Self>, Box<dyn std::error::Error>> {
        let nodes = match &arguments.servers {
            Servers::None => Nodes::embedded(folder)?,
            Servers::Redis(urls) => Nodes::on_redis(urls).await?,
            Servers::Memcached(addresses) => Nodes::on_memcached(addresses).await?,
        };
        let keys = keys();
        let meters = Meters::new(&keys);
        let region = |fresh_for: Duration, watch: &Arc<Watch>| {
            Region::new(nodes.store(), MsgPack)
                .expires_after(fresh_for)
                // What was created together does not all expire together.
                .with_jitter(0.5)
                .with_hard_deadline(KEPT_FOR.max(fresh_for * 2))
                .when_down(WhenDown::Miss)
                .with_observer(Arc::clone(watch) as _)
        };
        let fragments = region(arguments.fresh * 6, &meters.fragments);
        Ok(Arc::new(Self {
            database: Database::open()?,
            products: region(arguments.fresh, &meters.products),
            pages: region(arguments.fresh / 2, &meters.pages),
            templates: Templates::new(fragments.clone())?,
            fragments,
            events: Events::new(),
            load: Load::new(arguments.load),
            nodes,
            meters,
            keys,
        }))
    }

    /// The region of a kind of keys.
    pub(crate) fn region(&self, kind: Kind) -> &Region {
        match kind {
            Kind::Products => &self.products,
            Kind::Page => &self.pages,
            Kind::Fragment => &self.fragments,
        }
    }
}

fn keys() -> Vec<ShopKey> {
    let mut keys = Vec::new();
    for (category, _) in goods::CATEGORIES {
        keys.push(ShopKey { key: products::key(category), kind: Kind::Products });
        for template in [pages::PAGE, pages::GRID] {
            let key = pages::key(template, category);
            keys.push(ShopKey { key, kind: Kind::Page });
        }
    }
    let fragment = |(_, product): (_, crate::database::Product)| ShopKey {
        key: fragments::key("card", product.id),
        kind: Kind::Fragment,
    };
    keys.extend(goods::all().map(fragment));
    keys
}

//! A region of ours under torture.

use std::sync::Arc;
use std::time::Duration;

use dogpile_cache::Region;
use dogpile_cache::backend::Memory;
use dogpile_cache::codec::Shared;
use dogpile_conformance::torture::{Cache, Create, Value};
use dogpile_core::BoxFuture;
use dogpile_lock::{Dogpile, Solo};

use super::failing;

struct Ours {
    region: Region<Dogpile<Solo<Memory>>, Shared>,
    detached: bool,
}

pub(super) fn detached(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    build(expires_after, true)
}

pub(super) fn borrowing(expires_after: Option<Duration>) -> Option<Arc<dyn Cache>> {
    build(expires_after, false)
}

fn build(expires_after: Option<Duration>, detached: bool) -> Option<Arc<dyn Cache>> {
    let dogpile = Dogpile::local(Memory::new(super::ROOM)).with_background(detached);
    let mut region = Region::new(dogpile, Shared);
    if let Some(d) = expires_after {
        region = region.expires_after(d);
    }
    Some(Arc::new(Ours { region, detached }))
}

impl Ours {
    async fn ask<const N: usize>(&self, key: String, create: Create) -> Result<Value, String> {
        let create = move || failing::<N>(create);
        let answer = match self.detached {
            true => self.region.get_or_create_detached(key, create).await,
            false => self.region.get_or_create(key, create).await,
        };
        answer.map_err(|error| error.to_string())
    }
}

impl Cache for Ours {
    fn get_or_create(&self, key: String, create: Create) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(self.ask::<0>(key, create))
    }

    fn get_or_create_as(
        &self,
        error_type: usize,
        key: String,
        create: Create,
    ) -> Option<BoxFuture<'_, Result<Value, String>>> {
        Some(match error_type {
            0 => Box::pin(self.ask::<0>(key, create)),
            1 => Box::pin(self.ask::<1>(key, create)),
            _ => Box::pin(self.ask::<2>(key, create)),
        })
    }
}

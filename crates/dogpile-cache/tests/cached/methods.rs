//! Cached methods: of values, of references, and without a receiver.

use std::sync::Arc;

use dogpile_cache::{Error, Key, cached};

use crate::support::{Cache, Calls, cache};

struct Users {
    tenant: u32,
    region: Cache,
    calls: Calls,
}

impl Users {
    fn new(tenant: u32, region: &Cache) -> Self {
        Self { tenant, region: region.clone(), calls: Calls::new() }
    }

    /// `self` is not in the key.
    #[cached(region = self.region)]
    async fn name(&self, id: u64) -> Result<String, Error> {
        Ok(format!("{id} of {} {}", self.tenant, self.calls.next()))
    }

    #[cached(region = self.region, namespace = "tenant", key = (self.tenant, id))]
    async fn name_of_tenant(&self, id: u64) -> Result<String, Error> {
        Ok(format!("{id} of {} {}", self.tenant, self.calls.next()))
    }

    #[cached(region = self.region)]
    async fn shared(self: Arc<Self>, id: u64) -> u64 {
        self.calls.next() + id
    }

    #[cached(region = self.region)]
    async fn counted(&mut self, id: u64) -> Result<u64, Error> {
        self.tenant += 1;
        Ok(u64::from(self.tenant) + id)
    }

    #[cached(region = region, ignore(region), associated)]
    async fn double(region: &Cache, n: u32) -> u32 {
        n * 2
    }
}

#[tokio::test]
async fn a_method_has_its_companions_beside_it() -> Result<(), Error> {
    let users = Users::new(1, &cache());
    assert_eq!(users.name(7).await?, "7 of 1 1");
    assert_eq!(users.name(7).await?, "7 of 1 1");
    assert_eq!(users.name_get(7).await?, Some("7 of 1 1".to_owned()));
    assert_eq!(users.name_refresh(7).await?, "7 of 1 2");
    users.name_set(7, &"set".to_owned()).await?;
    assert_eq!(users.name(7).await?, "set");
    users.name_invalidate(7).await?;
    assert_eq!(users.name_original(7).await?, "7 of 1 3");
    assert_eq!(users.name(7).await?, "7 of 1 4");
    assert_eq!(users.name_key(7).as_key(), Key::name("cached::methods::name(7)"));
    Ok(())
}

#[tokio::test]
async fn self_is_in_the_key_only_where_it_is_named() -> Result<(), Error> {
    let region = cache();
    let (one, two) = (Users::new(1, &region), Users::new(2, &region));
    assert_eq!(one.name(7).await?, two.name(7).await?);
    assert_ne!(one.name_of_tenant(7).await?, two.name_of_tenant(7).await?);
    assert_eq!(two.name_of_tenant_key(7).as_key(), Key::name("tenant(2,7)"));
    Ok(())
}

#[tokio::test]
async fn any_receiver_will_do_and_none() -> Result<(), Error> {
    let region = cache();
    let mut users = Users::new(1, &region);
    assert_eq!((users.counted(1).await?, users.counted(1).await?), (3, 3));
    assert_eq!(users.counted_get(1).await?, Some(3));
    let users = Arc::new(users);
    assert_eq!(Arc::clone(&users).shared(1).await, 2);
    assert_eq!(Arc::clone(&users).shared(1).await, 2);
    assert_eq!(Arc::clone(&users).shared_refresh(1).await?, 3);
    assert_eq!(users.shared_get(1).await?, Some(3));
    assert_eq!(Users::double(&region, 4).await, 8);
    assert_eq!(Users::double_get(&region, 4).await?, Some(8));
    Ok(())
}

struct Repository<S> {
    region: Cache,
    source: S,
}

trait Source: Send + Sync {
    fn read(&self, id: u64) -> impl Future<Output = u64> + Send;
}

struct Ten;

impl Source for Ten {
    async fn read(&self, id: u64) -> u64 {
        id * 10
    }
}

impl<S: Source> Repository<S> {
    #[cached(region = self.region)]
    async fn read(&self, id: u64) -> u64 {
        self.source.read(id).await
    }
}

#[tokio::test]
async fn a_method_of_a_generic_type() {
    let repository = Repository { region: cache(), source: Ten };
    assert_eq!((repository.read(2).await, repository.read(2).await), (20, 20));
}

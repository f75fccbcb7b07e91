//! What is on a ring.

use alloc::sync::Arc;

/// A node: a name that is hashed, and whatever stands behind it.
///
/// The name is a symbol and never an address (but for ketama, see [`Ketama`](crate::Ketama)), so
/// that a node can move to another machine and keep its keys.
///
/// ```
/// use shard_ring::Node;
///
/// let node = Node::new("blue", "10.0.0.7:6379").with_weight(2).with_zone("north");
/// assert_eq!((node.name(), node.payload()), ("blue", &"10.0.0.7:6379"));
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Node<N> {
    name: Arc<str>,
    weight: u32,
    zone: Option<Arc<str>>,
    payload: N,
}

impl<N> Node<N> {
    /// A node of weight 1 in no zone.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, payload: N) -> Self {
        Self { name: name.into(), weight: 1, zone: None, payload }
    }

    /// How much of the ring it takes, beside others. At least 1.
    #[must_use]
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Where it stands: a rack, a room, a region. Replicas can be spread over zones.
    #[must_use]
    pub fn with_zone(mut self, zone: impl Into<Arc<str>>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// The name, which is what is hashed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much of the ring it takes, beside others.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Where it stands. A node without a zone is a zone of its own.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// What stands behind the name.
    #[must_use]
    pub fn payload(&self) -> &N {
        &self.payload
    }

    /// What stands behind the name.
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut N {
        &mut self.payload
    }

    /// What stood behind the name.
    #[must_use]
    pub fn into_payload(self) -> N {
        self.payload
    }

    pub(crate) fn name_arc(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn set_weight(&mut self, weight: u32) {
        self.weight = weight;
    }

    pub(crate) fn zone_arc(&self) -> Option<&Arc<str>> {
        self.zone.as_ref()
    }
}

/// A name and what stands behind it, with weight 1 and in no zone.
impl<S: Into<Arc<str>>, N> From<(S, N)> for Node<N> {
    fn from((name, payload): (S, N)) -> Self {
        Self::new(name, payload)
    }
}

//! The ring itself: a map from names to nodes.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::point::Points;
use crate::profile::Crowd;
use crate::state::{State, Tally};
use crate::{Error, Node, Profile};

mod change;
mod exact;
mod fingerprint;
mod lookup;

pub use self::fingerprint::Fingerprint;

/// A consistent-hash ring: named nodes, and for every key one that owns it.
///
/// It is a map from names to nodes, in the order of insertion. Which node owns a key depends on
/// the set of names and weights alone, not on the order in which they came (where two points fall
/// on one place, the smaller name wins; some of [`Ketama`](crate::Ketama) differ in this).
///
/// Every change is made as a whole or not at all. Reading takes `&self`, and so does marking a
/// node down or taking a [permit](crate::Permit): clones of a ring share the marks and the permits
/// of the nodes they have in common.
///
/// ```
/// use shard_ring::{Error, Profile, Ring};
///
/// let mut ring = Ring::new(Profile::md5());
/// assert!(ring.node("some key").is_none());
///
/// ring.extend([("node1", "10.0.0.1"), ("node2", "10.0.0.2"), ("node3", "10.0.0.3")])?;
/// assert_eq!(ring.node("some key").map(|node| node.name()), Some("node3"));
/// assert_eq!(ring.insert("node1", "10.0.0.4"), Err(Error::DuplicateName("node1".into())));
///
/// // It moves to another machine, and keeps its keys.
/// if let Some(node) = ring.get_mut("node3") {
///     *node = "10.0.0.5";
/// }
/// assert_eq!(ring.node("some key").map(|node| *node.payload()), Some("10.0.0.5"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Ring<N> {
    profile: Profile,
    members: Vec<Member<N>>,
    /// The numbers of the members, in the order of their names.
    by_name: Vec<u32>,
    zones: BTreeMap<Arc<str>, u32>,
    next_zone: u32,
    crowd: Crowd,
    points: Points,
    /// How many members have points: rounding leaves some without in ketama.
    placed: usize,
    epoch: u64,
    tally: Arc<Tally>,
}

#[derive(Clone)]
pub(crate) struct Member<N> {
    pub(crate) node: Node<N>,
    /// A number of its zone, or one of its own.
    pub(crate) zone: u32,
    pub(crate) state: Arc<State>,
}

impl<N> Ring<N> {
    /// How many points a ring can have: 2^26, which take 800 MB.
    pub const MAX_POINTS: u32 = 1 << 26;

    /// A ring of no nodes.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            members: Vec::new(),
            by_name: Vec::new(),
            zones: BTreeMap::new(),
            next_zone: 0,
            crowd: Crowd::default(),
            points: Points::new(&[]),
            placed: 0,
            epoch: 0,
            tally: Arc::default(),
        }
    }

    /// A ring of these nodes. Much faster than inserting one after the other.
    ///
    /// # Errors
    /// As [`extend`](Ring::extend).
    pub fn with_nodes<I>(profile: Profile, nodes: I) -> Result<Self, Error>
    where
        I: IntoIterator,
        I::Item: Into<Node<N>>,
    {
        let mut ring = Self::new(profile);
        ring.extend(nodes)?;
        ring.epoch = 0;
        Ok(ring)
    }

    /// How it hashes.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The payload of the node of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&N> {
        self.get_node(name).map(Node::payload)
    }

    /// The payload of the node of this name. Nothing that is hashed can be changed through it.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut N> {
        let number = self.number(name)?;
        self.members.get_mut(number).map(|member| member.node.payload_mut())
    }

    /// The node of this name.
    #[must_use]
    pub fn get_node(&self, name: &str) -> Option<&Node<N>> {
        self.member(self.number(name)?).map(|member| &member.node)
    }

    /// Whether a node has this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// The nodes in the order of insertion.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Node<N>> + ExactSizeIterator + Clone {
        self.members.iter().map(|member| &member.node)
    }

    /// The place of a name in [`iter`](Ring::iter). It changes when an earlier node is removed.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<usize> {
        let place = self.place(name).ok()?;
        self.by_name.get(place).map(|number| *number as usize)
    }

    /// How often the membership has changed: names, weights and zones, not payloads and marks.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many points the nodes have together.
    #[must_use]
    pub fn point_count(&self) -> usize {
        self.points.len()
    }

    /// The memory of the points with the table to find them, in bytes: at most 12 a point.
    #[must_use]
    pub fn point_bytes(&self) -> usize {
        self.points.bytes()
    }

    /// Leaves a node out of what is answered, without changing the ring: its keys go to the nodes
    /// that follow, and come back when it is [marked up](Ring::mark_up). Answers whether it was up.
    ///
    /// The mark is shared by all clones of the ring, and takes no lock.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2)])?;
    /// let owner = ring.node("key").map(|node| node.name()).unwrap_or_default();
    /// ring.mark_down(owner)?;
    /// assert_ne!(ring.node("key").map(|node| node.name()), Some(owner));
    /// ring.mark_up(owner)?;
    /// assert_eq!(ring.node("key").map(|node| node.name()), Some(owner));
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn mark_down(&self, name: &str) -> Result<bool, Error> {
        self.mark(name, true)
    }

    /// Ends what [`mark_down`](Ring::mark_down) began. Answers whether it was down.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn mark_up(&self, name: &str) -> Result<bool, Error> {
        self.mark(name, false)
    }

    /// Whether the node of this name is marked down.
    #[must_use]
    pub fn is_down(&self, name: &str) -> bool {
        self.number(name)
            .and_then(|number| self.member(number))
            .is_some_and(|member| member.state.is_down())
    }

    fn mark(&self, name: &str, down: bool) -> Result<bool, Error> {
        let member = self.number(name).and_then(|number| self.member(number));
        let member = member.ok_or_else(|| Error::UnknownName(name.into()))?;
        Ok(member.state.mark(down))
    }

    /// Where a name is among the sorted, or where it would be.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|number| self.name(*number).cmp(name))
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        self.member(number as usize).map_or("", |member| member.node.name())
    }

    #[inline]
    pub(crate) fn member(&self, number: usize) -> Option<&Member<N>> {
        self.members.get(number)
    }

    pub(crate) fn members(&self) -> &[Member<N>] {
        &self.members
    }

    pub(crate) fn points(&self) -> &Points {
        &self.points
    }

    pub(crate) fn placed(&self) -> usize {
        self.placed
    }

    pub(crate) fn crowd(&self) -> &Crowd {
        &self.crowd
    }

    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}

impl<N> Default for Ring<N> {
    /// A ring of no nodes, of the native profile.
    fn default() -> Self {
        Self::new(Profile::native())
    }
}

impl<N: fmt::Debug> fmt::Debug for Ring<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("profile", &format_args!("{}", self.profile))
            .field("epoch", &self.epoch)
            .field("points", &self.points.len())
            .field("nodes", &self.members.iter().map(|member| &member.node).collect::<Vec<_>>())
            .finish()
    }
}

//! Finding the owner of a key.

use alloc::vec::Vec;

use super::Ring;
use crate::{Node, Owners, Position};

impl<N> Ring<N> {
    /// The node that owns a key, or if that is marked down, the first behind it that is not. `None`
    /// if there is none. Allocates nothing.
    #[inline]
    pub fn node<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Option<&Node<N>> {
        self.node_at(self.profile.position(key.as_ref()))
    }

    /// The node that owns what lies at this place.
    #[inline]
    #[must_use]
    pub fn node_at(&self, position: Position) -> Option<&Node<N>> {
        if self.tally.any_down() {
            return self.owners_at(position).next();
        }
        let number = self.points.at(self.first_point(position)).node();
        self.members.get(number as usize).map(|member| &member.node)
    }

    /// The owners of many keys, in the order of the keys. The md5 profile hashes 32 at once.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::md5(), [("a", 1), ("b", 2)])?;
    /// let keys = ["user:1", "user:2", "user:3"];
    /// for (key, node) in keys.iter().zip(ring.nodes(&keys)) {
    ///     assert_eq!(node, ring.node(key));
    /// }
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    #[must_use]
    pub fn nodes<K: AsRef<[u8]>>(&self, keys: &[K]) -> Vec<Option<&Node<N>>> {
        let mut nodes = Vec::with_capacity(keys.len());
        self.profile.positions(keys, |position| nodes.push(self.node_at(position)));
        nodes
    }

    /// The owner of a key and then, in order, the nodes that stand in for it.
    #[inline]
    pub fn owners<K: AsRef<[u8]> + ?Sized>(&self, key: &K) -> Owners<'_, N> {
        self.owners_at(self.profile.position(key.as_ref()))
    }

    /// The owner of what lies at this place and then the nodes that stand in for it.
    #[inline]
    #[must_use]
    pub fn owners_at(&self, position: Position) -> Owners<'_, N> {
        Owners::new(self, self.first_point(position))
    }

    /// The point that a place belongs to. Without points, none that there is.
    #[inline]
    fn first_point(&self, position: Position) -> usize {
        let mut at = self.points.find(position.high());
        if self.points.at(at).high() == position.high() && self.profile.bits() > 32 {
            at = self.among_ties(position, at);
        }
        if at < self.points.len() { at } else { 0 }
    }
}

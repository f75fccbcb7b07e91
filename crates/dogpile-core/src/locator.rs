//! Which of many.

use std::fmt;

/// Tells which of N nodes a key belongs to: what a hash ring offers and a sharded backend asks for.
///
/// Nodes are numbered from 0; whoever builds a locator keeps the list that the numbers point into.
pub trait Locator: fmt::Debug + Send + Sync {
    /// How many nodes there are: the numbers it answers are below this.
    fn node_count(&self) -> usize;

    /// The node that owns a key.
    ///
    /// # Behavior
    /// - The same answer for the same key in every process that has the same nodes.
    /// - `None` only where there is no node.
    fn locate(&self, key: &[u8]) -> Option<usize>;

    /// The owner of a key and, after it, the nodes that stand in for it, in order of preference.
    ///
    /// # Behavior
    /// - Fills `nodes` from the front with distinct numbers and answers how many it filled: as many
    ///   as fit, or as there are nodes.
    /// - The first is what [`locate`](Locator::locate) answers.
    /// - No allocation.
    fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize;
}

//! The ring as the locator of a sharded backend.

use core::fmt;

use dogpile_core::Locator;

use crate::Ring;

/// Nodes are numbered in the order of [`iter`](Ring::iter), which is that of insertion.
///
/// Nodes marked down come last among the replicas, and own a key only where all are down: what is
/// asked for is a node, whatever its state.
impl<N: fmt::Debug + Send + Sync> Locator for Ring<N> {
    fn node_count(&self) -> usize {
        self.len()
    }

    fn locate(&self, key: &[u8]) -> Option<usize> {
        let mut owner = [0];
        (self.replicas(key, &mut owner) > 0).then_some(owner[0])
    }

    fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
        let owners = self.owners(key);
        let mut filled = 0;
        let mut up = owners.clone();
        while filled < nodes.len()
            && let Some(number) = up.next_number()
        {
            nodes[filled] = number as usize;
            filled += 1;
        }
        // Then those that are down, in their order, and those that rounding left without points.
        let mut all = owners;
        let placed = core::iter::from_fn(|| all.next_of_all().map(|number| number as usize));
        for number in placed.chain(0..self.len()) {
            if filled == nodes.len().min(self.len()) {
                break;
            }
            if !nodes[..filled].contains(&number) {
                nodes[filled] = number;
                filled += 1;
            }
        }
        filled
    }
}

//! A locator by the highest of many hashes.

use dogpile_core::Locator;

use super::flaws;

flaws! {
    /// Ways in which a locator can be wrong.
    LocatorFlaw {
        /// Puts one key on a node that there is not.
        CountsFromOne => every_key_has_a_node,
        /// Depends on what this process drew at random.
        SeedsItself => a_key_stays_where_it_is,
        /// Puts nothing on the last node.
        ForgetsANode => keys_are_spread,
        /// Has no place for the empty key.
        RefusesTheEmptyKey => any_bytes_are_a_key,
        /// Answers the first node again as the last.
        RepeatsTheFirst => replicas_are_different_nodes,
        /// Counts the places and not the nodes.
        CountsPlaces => replicas_fill_what_there_is_room_for,
        /// Answers a stand-in before the owner.
        StartsWithAnother => the_first_replica_is_the_owner,
        /// Answers all nodes in another order than some of them.
        TurnsAround => fewer_replicas_are_the_first_of_more,
    }
}

/// A locator, with a flaw or without.
#[derive(Clone, Copy, Debug)]
pub struct WrongLocator {
    flaw: Option<LocatorFlaw>,
    nodes: usize,
    seed: u64,
}

impl WrongLocator {
    /// A locator of so many nodes with this flaw, or a sound one. `process` is what differs from one
    /// process to the next, and no locator may depend on it.
    #[must_use]
    pub fn new(flaw: Option<LocatorFlaw>, nodes: usize, process: u64) -> Self {
        let seed = if flaw == Some(LocatorFlaw::SeedsItself) { process } else { 0 };
        Self { flaw, nodes, seed }
    }

    fn has(&self, flaw: LocatorFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn order(&self, key: &[u8]) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.nodes).collect();
        order.sort_by_key(|node| match self.flaw {
            Some(LocatorFlaw::ForgetsANode) if node + 1 == self.nodes => u64::MAX,
            _ => self.hash(key, *node),
        });
        if self.has(LocatorFlaw::CountsFromOne) && key == b"key 1999" {
            order[0] = self.nodes;
        }
        order
    }

    fn hash(&self, key: &[u8], node: usize) -> u64 {
        let start = 0xcbf2_9ce4_8422_2325 ^ self.seed;
        let hash = key.iter().fold(start ^ (node as u64) << 32, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1
    }

    fn refuses(&self, key: &[u8]) -> bool {
        self.has(LocatorFlaw::RefusesTheEmptyKey) && key.is_empty()
    }
}

impl Locator for WrongLocator {
    fn node_count(&self) -> usize {
        self.nodes
    }

    fn locate(&self, key: &[u8]) -> Option<usize> {
        if self.refuses(key) { None } else { self.order(key).first().copied() }
    }

    fn replicas(&self, key: &[u8], nodes: &mut [usize]) -> usize {
        if self.refuses(key) {
            return 0;
        }
        let mut order = self.order(key);
        match self.flaw {
            Some(LocatorFlaw::RepeatsTheFirst) => {
                if let (Some(first), Some(last)) = (order.first().copied(), order.last_mut()) {
                    *last = first;
                }
            }
            Some(LocatorFlaw::StartsWithAnother) if key.ends_with(b"99") && key.len() == 8 => {
                order.rotate_left(1);
            }
            Some(LocatorFlaw::TurnsAround) if nodes.len() >= order.len() => {
                if let Some(behind) = order.get_mut(1..) {
                    behind.reverse();
                }
            }
            _ => {}
        }
        order.iter().zip(nodes.iter_mut()).for_each(|(node, place)| *place = *node);
        if self.has(LocatorFlaw::CountsPlaces) { nodes.len() } else { nodes.len().min(order.len()) }
    }
}

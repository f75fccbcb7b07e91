//! Bounded loads: no node gets much more than its share of what is going on.

use alloc::sync::Arc;

use crate::ring::Member;
use crate::state::{State, Tally};
use crate::{Error, Node, Ring};

/// The right to use a node, counted until it is dropped. Given by [`Ring::acquire`].
#[derive(Debug)]
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct Permit {
    state: Arc<State>,
    tally: Arc<Tally>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        // The node first: the sum over the nodes never exceeds the tally.
        self.state.leave();
        self.tally.leave();
    }
}

impl<N> Ring<N> {
    /// The first owner of a key that has room, and a permit for it.
    ///
    /// A node has room while its permits are at most `percent` of its share of all permits, rounded
    /// up: with 125 and ten equal nodes, no node has more than ceil(1.25 × permits / 10). Shares go
    /// by weight, among the nodes that are not marked down. A key spills over to its owners in their
    /// order, so the same key under the same load goes to the same node.
    ///
    /// Permits are counted over all clones of the ring. A smaller bound spreads load more evenly and
    /// keeps fewer keys with their first owner; 125 is a good one.
    ///
    /// # Errors
    /// [`Error::Empty`] if no node is up, and [`Error::BoundTooLow`] for a bound below 100.
    ///
    /// ```
    /// use shard_ring::{Profile, Ring};
    ///
    /// let ring = Ring::with_nodes(Profile::native(), [("a", 1), ("b", 2)])?;
    /// // One key is all the traffic, and still each node gets half of it.
    /// let permits: Vec<_> = (0..10).map(|_| ring.acquire("hot", 100)).collect::<Result<_, _>>()?;
    /// assert_eq!(ring.permits("a"), Some(5));
    /// drop(permits);
    /// assert_eq!(ring.permits("a"), Some(0));
    /// # Ok::<(), shard_ring::Error>(())
    /// ```
    pub fn acquire<K: AsRef<[u8]> + ?Sized>(
        &self,
        key: &K,
        percent: u32,
    ) -> Result<(&Node<N>, Permit), Error> {
        if percent < 100 {
            return Err(Error::BoundTooLow(percent));
        }
        let owners = self.owners(key);
        let up = self.weight_up();
        if up == 0 {
            return Err(Error::Empty);
        }
        let mut all = self.tally().enter();
        loop {
            let mut any = false;
            let mut walk = owners.clone();
            while let Some(number) = walk.next_number() {
                any = true;
                let Some(member) = self.member(number as usize) else { break };
                if member.state.enter(limit(all, percent, member, up)) {
                    let (state, tally) = (member.state.clone(), self.tally().clone());
                    return Ok((&member.node, Permit { state, tally }));
                }
            }
            if !any {
                self.tally().leave();
                return Err(Error::Empty);
            }
            // All were full, so others have come meanwhile, or a node went down: there is more room
            // by now, or this turn was too early to see it.
            all = self.tally().busy().max(all + 1);
        }
    }

    /// How many permits of the node of this name are out.
    #[must_use]
    pub fn permits(&self, name: &str) -> Option<usize> {
        let member = self.member(self.number(name)?)?;
        Some(member.state.busy())
    }

    fn weight_up(&self) -> u64 {
        if !self.tally().any_down() {
            return self.crowd().weight;
        }
        let up = self.members().iter().filter(|member| !member.state.is_down());
        up.map(|member| u64::from(member.node.weight())).sum()
    }
}

/// How many of all permits a node may have.
fn limit<N>(all: usize, percent: u32, member: &Member<N>, up: u64) -> usize {
    let share = all as u128 * u128::from(percent) * u128::from(member.node.weight());
    usize::try_from(share.div_ceil(100 * u128::from(up))).unwrap_or(usize::MAX)
}

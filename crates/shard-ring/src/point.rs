//! The points of a ring in the order of the circle, and the way to find one in a few nanoseconds.
//!
//! A point is eight bytes: the upper 32 bits of its place, and the number of its node. These bits
//! nearly always decide; where a key agrees in all of them with a point, the ring computes the rest
//! from the name again. A table over the first bits of the place tells where to begin, and has about
//! as many rows as there are points: so a point costs at most twelve bytes, and a search reads two
//! lines of memory, however large the ring.

use alloc::vec::Vec;

/// How many points a search looks at without a branch. Behind the last point stand as many that are
/// after every key.
const WINDOW: usize = 4;
const NEVER: u64 = u64::MAX;

/// A point: the upper bits of its place above the number of its node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Entry(u64);

impl Entry {
    pub(crate) fn new(high: u32, node: u32) -> Self {
        Self(u64::from(high) << 32 | u64::from(node))
    }

    #[inline]
    pub(crate) fn high(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
    pub(crate) fn node(self) -> u32 {
        self.0 as u32
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Points {
    /// Ascending by `high`; the ring orders those of the same `high`. Ends in `WINDOW` of `NEVER`.
    entries: Vec<Entry>,
    /// Row `r` is the number of points whose first bits are below `r`.
    rows: Vec<u32>,
    /// How far `high` is shifted to be a row.
    shift: u32,
}

impl Points {
    /// Sorts points by their upper bits and then by node.
    #[expect(clippy::cast_possible_truncation, reason = "a ring has fewer points than 2^32")]
    pub(crate) fn new(unsorted: &[Entry]) -> Self {
        let bits = bits(unsorted.len());
        let rows = alloc::vec![0; 1 << bits];
        let mut points = Self { entries: Vec::new(), rows, shift: 32 - bits };
        // Count into the row above, so that the sums are the beginnings of the rows.
        for entry in unsorted {
            let row = points.row(entry.high());
            points.rows[row] += 1;
        }
        let mut sum = 0;
        for row in &mut points.rows {
            let count = *row;
            *row = sum;
            sum += count;
        }
        points.entries = alloc::vec![Entry(NEVER); unsorted.len() + WINDOW];
        for entry in unsorted {
            let row = points.row(entry.high());
            let place = &mut points.rows[row];
            points.entries[*place as usize] = *entry;
            *place += 1;
        }
        // Each row now tells its end: the beginning of the next.
        let mut start = 0;
        for row in &mut points.rows {
            let end = *row;
            let bucket = &mut points.entries[start as usize..end as usize];
            if bucket.len() > 1 {
                bucket.sort_unstable();
            }
            *row = start;
            start = end;
        }
        debug_assert_eq!(start, unsorted.len() as u32);
        points
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - WINDOW
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[Entry] {
        &self.entries[..self.len()]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [Entry] {
        let len = self.len();
        &mut self.entries[..len]
    }

    /// Which node the point belongs to. Of the places behind the last point, some node there is not.
    #[inline]
    pub(crate) fn at(&self, at: usize) -> Entry {
        self.entries.get(at).copied().unwrap_or(Entry(NEVER))
    }

    /// The first point whose upper bits are not below these; the number of points if there is none.
    #[inline]
    pub(crate) fn find(&self, high: u32) -> usize {
        let start = self.rows[self.row(high)] as usize;
        let target = Entry::new(high, 0);
        let Some(window) = self.entries.get(start..start + WINDOW) else { return self.len() };
        let below: usize = window.iter().map(|entry| usize::from(*entry < target)).sum();
        if below < WINDOW { start + below } else { self.find_behind(start + WINDOW, target) }
    }

    #[cold]
    fn find_behind(&self, start: usize, target: Entry) -> usize {
        let below = self.entries[start..].iter().take_while(|entry| **entry < target).count();
        start + below
    }

    #[inline]
    fn row(&self, high: u32) -> usize {
        // A table of one row shifts everything out.
        high.checked_shr(self.shift).unwrap_or(0) as usize
    }

    /// Puts each point before the one at its index. The indices ascend.
    pub(crate) fn insert(&mut self, new: &[(usize, Entry)]) {
        let old = self.entries.len();
        self.entries.reserve_exact(new.len());
        self.entries.resize(old + new.len(), Entry(NEVER));
        let mut end = old;
        for (before, &(at, entry)) in new.iter().enumerate().rev() {
            self.entries.copy_within(at..end, at + before + 1);
            self.entries[at + before] = entry;
            end = at;
        }
        if 1 << bits(self.len()) != self.rows.len() {
            self.fill_rows();
        } else {
            self.shift_rows(new.iter().map(|(_, entry)| entry.high()), u32::wrapping_add);
        }
    }

    /// Removes the points of a node, whose upper bits are these, ascending.
    pub(crate) fn remove(&mut self, node: u32, highs: &[u32]) {
        let mut gone: Vec<(usize, u32)> = Vec::with_capacity(highs.len());
        for &high in highs {
            let mut at = gone.last().map_or(0, |&(at, _)| at + 1).max(self.find(high));
            while self.at(at) != Entry::new(high, node) && self.at(at).high() == high {
                at += 1;
            }
            debug_assert_eq!(self.at(at), Entry::new(high, node));
            gone.push((at, high));
        }
        let mut to = gone.first().map_or(0, |&(at, _)| at);
        let ends = gone.iter().skip(1).map(|&(at, _)| at).chain([self.entries.len()]);
        for (&(at, _), end) in gone.iter().zip(ends) {
            self.entries.copy_within(at + 1..end, to);
            to += end - (at + 1);
        }
        self.entries.truncate(self.entries.len() - gone.len());
        if 1 << bits(self.len()) != self.rows.len() {
            self.fill_rows();
        } else {
            self.shift_rows(gone.iter().map(|&(_, high)| high), u32::wrapping_sub);
        }
    }

    /// Counts down the numbers of the nodes behind this one, which has no points any more.
    pub(crate) fn close_gap(&mut self, node: u32) {
        for entry in self.as_mut_slice() {
            entry.0 -= u64::from(entry.node() > node);
        }
    }

    /// Changes the rows behind each of these ascending places by one.
    #[expect(clippy::cast_possible_truncation, reason = "a ring has fewer points than 2^32")]
    fn shift_rows(&mut self, highs: impl Iterator<Item = u32> + Clone, by: fn(u32, u32) -> u32) {
        let (rows, shift) = (self.rows.len(), self.shift);
        let row = |high: u32| high.checked_shr(shift).unwrap_or(0) as usize;
        let ends = highs.clone().skip(1).map(|high| row(high) + 1).chain([rows]);
        for (before, (high, end)) in highs.zip(ends).enumerate() {
            let count = before as u32 + 1;
            self.rows[row(high) + 1..end].iter_mut().for_each(|start| *start = by(*start, count));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a ring has fewer points than 2^32")]
    fn fill_rows(&mut self) {
        let bits = bits(self.len());
        (self.rows, self.shift) = (alloc::vec![0; 1 << bits], 32 - bits);
        let mut next = 0;
        for at in 0..self.len() {
            let row = self.row(self.entries[at].high());
            while next <= row {
                self.rows[next] = at as u32;
                next += 1;
            }
        }
        let len = self.len() as u32;
        self.rows[next..].fill(len);
    }

    /// The memory that the points take.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.rows.capacity() * size_of::<u32>()
    }
}

/// How many bits a row is, for this many points: so many that there are no more rows than points.
fn bits(points: usize) -> u32 {
    points.max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn entries(count: u32, nodes: u32) -> Vec<Entry> {
        (0..count).map(|at| Entry::new(at.wrapping_mul(0x9e37_79b9), at % nodes)).collect()
    }

    fn assert_sound(points: &Points) {
        assert!(points.as_slice().is_sorted());
        for high in (0..=u32::MAX).step_by(9_999_991).chain([u32::MAX]) {
            let naive = points.as_slice().partition_point(|entry| entry.high() < high);
            assert_eq!(points.find(high), naive);
        }
        for (at, entry) in points.as_slice().iter().enumerate() {
            assert_eq!(points.find(entry.high()), at);
        }
    }

    #[test]
    fn every_place_is_found_in_rings_of_every_size() {
        for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 1_000, 4_096, 10_000] {
            assert_sound(&Points::new(&entries(count, 7)));
        }
    }

    #[test]
    fn many_points_in_one_row_are_found() {
        let crowded: Vec<Entry> = (0..50).map(|at| Entry::new(7_000 + at, 0)).collect();
        assert_sound(&Points::new(&crowded));
    }

    #[test]
    fn inserting_and_removing_is_building_anew() {
        for (before, after) in [(0, 10), (60, 70), (1_000, 1_010), (1_000, 1_200)] {
            let all = entries(after, 10);
            let (old, mut new) = all.split_at(before as usize);
            let mut points = Points::new(old);
            let mut sorted = new.to_vec();
            sorted.sort_unstable();
            new = &sorted;
            let places: Vec<_> =
                new.iter().map(|entry| (points.find(entry.high()), *entry)).collect();
            points.insert(&places);
            let built = Points::new(&all);
            assert_eq!((&points.entries, &points.rows), (&built.entries, &built.rows));
            assert_sound(&points);

            let mut highs: Vec<u32> =
                all.iter().filter(|entry| entry.node() == 3).map(|entry| entry.high()).collect();
            highs.sort_unstable();
            points.remove(3, &highs);
            points.close_gap(3);
            let without: Vec<_> = all
                .iter()
                .filter(|entry| entry.node() != 3)
                .map(|entry| Entry::new(entry.high(), entry.node() - u32::from(entry.node() > 3)))
                .collect();
            let built = Points::new(&without);
            assert_eq!((&points.entries, &points.rows), (&built.entries, &built.rows));
        }
    }

    #[test]
    fn a_point_takes_at_most_twelve_bytes() {
        for count in [1_000, 4_096, 65_535, 65_536, 100_000] {
            let points = Points::new(&entries(count, 100));
            assert!(points.bytes() <= 12 * count as usize + 8 * WINDOW, "{count} points");
        }
    }
}

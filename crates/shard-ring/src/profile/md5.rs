//! MD5 (RFC 1321), of one message or of many short ones at once.
//!
//! A ring hashes hundreds of thousands of short names when it is built. One MD5 is a chain of
//! dependent steps that leaves most of a processor idle; thirty-two side by side are vectorised by
//! the compiler and cost about as much as five.

use core::hint::black_box;

/// So many messages at once that the compiler vectorises the loop over them, instead of unrolling it
/// as it does with sixteen.
const LANES: usize = 32;
const LANES_U32: u32 = 32;

/// The longest message that fits one block, with a bit behind it and its length.
const SHORT: usize = 55;

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The digest of a message.
#[inline]
pub(crate) fn digest(message: &[u8]) -> [u8; 16] {
    let mut state = START.map(|word| [word]);
    let (blocks, rest) = message.as_chunks::<64>();
    for block in blocks {
        compress(&mut state, &words(block));
    }
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    if rest.len() > SHORT {
        compress(&mut state, &words(&last));
        last = [0; 64];
    }
    last[56..].copy_from_slice(&bits(message.len()));
    compress(&mut state, &words(&last));
    lane(&state, 0)
}

/// The digests of `prefix` followed by each number below `count`, in decimal, in order.
pub(crate) fn numbered(prefix: &[u8], count: u32, mut each: impl FnMut([u8; 16])) {
    let mut message = Numbered::new(prefix);
    let mut next = 0;
    // The number has at most ten digits.
    if prefix.len() + 10 <= SHORT {
        while count - next >= LANES_U32 {
            let mut block = [[0; LANES]; 16];
            for lane in 0..LANES {
                fill_lane(&mut block, lane, &padded(message.bytes()));
                message.increment();
            }
            let mut state = START.map(|word| [word; LANES]);
            compress(&mut state, &block);
            (0..LANES).for_each(|at| each(lane(&state, at)));
            next += LANES_U32;
        }
    }
    for _ in next..count {
        each(digest(message.bytes()));
        message.increment();
    }
}

/// The digests of many messages, in order.
pub(crate) fn many<M: AsRef<[u8]>>(messages: &[M], mut each: impl FnMut([u8; 16])) {
    let (chunks, rest) = messages.as_chunks::<LANES>();
    for chunk in chunks {
        if chunk.iter().any(|message| message.as_ref().len() > SHORT) {
            chunk.iter().for_each(|message| each(digest(message.as_ref())));
            continue;
        }
        let mut block = [[0; LANES]; 16];
        for (lane, message) in chunk.iter().enumerate() {
            fill_lane(&mut block, lane, &padded(message.as_ref()));
        }
        let mut state = START.map(|word| [word; LANES]);
        compress(&mut state, &block);
        (0..LANES).for_each(|at| each(lane(&state, at)));
    }
    rest.iter().for_each(|message| each(digest(message.as_ref())));
}

/// A prefix and a decimal counter behind it.
struct Numbered {
    text: alloc::vec::Vec<u8>,
    prefix: usize,
}

impl Numbered {
    fn new(prefix: &[u8]) -> Self {
        let mut text = prefix.to_vec();
        text.push(b'0');
        Self { text, prefix: prefix.len() }
    }

    fn bytes(&self) -> &[u8] {
        &self.text
    }

    fn increment(&mut self) {
        for digit in self.text[self.prefix..].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        self.text.insert(self.prefix, b'1');
    }
}

/// The only block of a short message.
#[inline]
fn padded(message: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&bits(message.len()));
    block
}

#[inline]
fn fill_lane(block: &mut [[u32; LANES]; 16], lane: usize, message: &[u8; 64]) {
    for (lanes, word) in block.iter_mut().zip(words(message)) {
        lanes[lane] = word[0];
    }
}

fn bits(length: usize) -> [u8; 8] {
    (length as u64).wrapping_mul(8).to_le_bytes()
}

#[inline]
fn words(block: &[u8; 64]) -> [[u32; 1]; 16] {
    let (words, _) = block.as_chunks::<4>();
    core::array::from_fn(|at| [u32::from_le_bytes(words[at])])
}

#[inline]
fn lane<const L: usize>(state: &[[u32; L]; 4], lane: usize) -> [u8; 16] {
    let mut digest = [0; 16];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word[lane].to_le_bytes());
    }
    digest
}

/// The mixing function of a round, in the form that has the shortest way from `b`.
macro_rules! mix {
    (f $b:expr, $c:expr, $d:expr) => {
        $d ^ ($b & ($c ^ $d))
    };
    (g $b:expr, $c:expr, $d:expr) => {
        // The two halves have no bit in common, so a sum is a union.
        ($c & !$d).wrapping_add($b & $d)
    };
    (h $b:expr, $c:expr, $d:expr) => {
        $b ^ ($c ^ $d)
    };
    (i $b:expr, $c:expr, $d:expr) => {
        $c ^ ($b | !$d)
    };
}

macro_rules! step {
    ($f:ident, $a:ident, $b:ident, $c:ident, $d:ident, $word:expr, $turn:expr, $constant:expr) => {
        for at in 0..L {
            let mut known = $a[at].wrapping_add($word[at]).wrapping_add($constant);
            if L == 1 {
                // Or the compiler adds these last, and every step waits for three sums, not for one.
                known = black_box(known);
            }
            let sum = known.wrapping_add(mix!($f $b[at], $c[at], $d[at]));
            $a[at] = sum.rotate_left($turn).wrapping_add($b[at]);
        }
    };
}

/// Four steps of a round: the words at `$w`, and the constants of these steps.
macro_rules! steps {
    ($f:ident, $s:ident, $block:ident, [$w0:expr, $w1:expr, $w2:expr, $w3:expr],
     [$t0:expr, $t1:expr, $t2:expr, $t3:expr], [$k0:expr, $k1:expr, $k2:expr, $k3:expr]) => {
        let [a, b, c, d] = &mut $s;
        step!($f, a, b, c, d, $block[$w0], $t0, $k0);
        step!($f, d, a, b, c, $block[$w1], $t1, $k1);
        step!($f, c, d, a, b, $block[$w2], $t2, $k2);
        step!($f, b, c, d, a, $block[$w3], $t3, $k3);
    };
}

#[inline]
#[rustfmt::skip]
fn compress<const L: usize>(state: &mut [[u32; L]; 4], block: &[[u32; L]; 16]) {
    let mut s = *state;
    steps!(f, s, block, [0, 1, 2, 3], [7, 12, 17, 22], [0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee]);
    steps!(f, s, block, [4, 5, 6, 7], [7, 12, 17, 22], [0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501]);
    steps!(f, s, block, [8, 9, 10, 11], [7, 12, 17, 22], [0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be]);
    steps!(f, s, block, [12, 13, 14, 15], [7, 12, 17, 22], [0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821]);
    steps!(g, s, block, [1, 6, 11, 0], [5, 9, 14, 20], [0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa]);
    steps!(g, s, block, [5, 10, 15, 4], [5, 9, 14, 20], [0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8]);
    steps!(g, s, block, [9, 14, 3, 8], [5, 9, 14, 20], [0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed]);
    steps!(g, s, block, [13, 2, 7, 12], [5, 9, 14, 20], [0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a]);
    steps!(h, s, block, [5, 8, 11, 14], [4, 11, 16, 23], [0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c]);
    steps!(h, s, block, [1, 4, 7, 10], [4, 11, 16, 23], [0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70]);
    steps!(h, s, block, [13, 0, 3, 6], [4, 11, 16, 23], [0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05]);
    steps!(h, s, block, [9, 12, 15, 2], [4, 11, 16, 23], [0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665]);
    steps!(i, s, block, [0, 7, 14, 5], [6, 10, 15, 21], [0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039]);
    steps!(i, s, block, [12, 3, 10, 1], [6, 10, 15, 21], [0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1]);
    steps!(i, s, block, [8, 15, 6, 13], [6, 10, 15, 21], [0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1]);
    steps!(i, s, block, [4, 11, 2, 9], [6, 10, 15, 21], [0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391]);
    for (word, added) in state.iter_mut().zip(s) {
        for (word, added) in word.iter_mut().zip(added) {
            *word = word.wrapping_add(added);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    use md5::{Digest, Md5};

    use super::*;

    #[test]
    fn every_length_is_what_another_implementation_says() {
        for length in 0..300 {
            let message: Vec<u8> =
                (0..length).map(|at| u8::try_from((at * 7 + length) % 256).unwrap()).collect();
            assert_eq!(digest(&message)[..], Md5::digest(&message)[..], "{length} bytes");
        }
    }

    #[test]
    fn many_are_what_one_by_one_are() {
        for length in [0, 1, 5, 44, 45, 46, 54, 55, 56, 64, 200] {
            let prefix = vec![b'x'; length];
            for count in [0, 1, 15, 16, 17, 100, 1_234] {
                let mut digests = Vec::new();
                numbered(&prefix, count, |digest| digests.push(digest));
                assert_eq!(digests.len(), count as usize);
                for (at, digest) in digests.iter().enumerate() {
                    let mut message = prefix.clone();
                    message.extend(format!("{at}").bytes());
                    assert_eq!(digest[..], Md5::digest(&message)[..], "{length} bytes and {at}");
                }
            }
        }
    }

    #[test]
    fn many_of_any_length_are_what_one_by_one_are() {
        for count in [0, 1, 16, 40, 100] {
            let messages: Vec<Vec<u8>> =
                (0..count).map(|at| vec![b'x' + at; usize::from(at) * 13 % 97]).collect();
            let mut digests = Vec::new();
            many(&messages, |digest| digests.push(digest));
            assert!(messages.iter().map(|message| digest(message)).eq(digests));
        }
    }
}

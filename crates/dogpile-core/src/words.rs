//! Bytes, eight at a time.
//!
//! A key that was just written is read again at once, to be hashed. A processor hands on what was
//! written a moment ago only to a read that lies within one write, so both go by the same words.

/// The words of these bytes, and what is left, filled up with zeros.
#[inline(always)]
pub(crate) fn words(bytes: &[u8]) -> (&[[u8; 8]], u64) {
    let (words, rest) = bytes.as_chunks::<8>();
    (words, partial(rest))
}

/// Fewer than eight bytes as the low bytes of a word.
#[inline(always)]
fn partial(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some(first), Some(last), _) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (len - 4))
        }
        (_, _, [first, .., last]) => {
            let middle = u64::from(bytes[len / 2]) << (8 * (len / 2));
            u64::from(*first) | middle | u64::from(*last) << (8 * (len - 1))
        }
        (_, _, [only]) => u64::from(*only),
        _ => 0,
    }
}

/// Whether one of these bytes is `wanted`.
#[inline(always)]
pub(crate) fn contains(bytes: &[u8], wanted: u8) -> bool {
    let (words, rest) = words(bytes);
    let found = |word: u64| zero_byte(word ^ (wanted as u64 * EACH)) != 0;
    words.iter().any(|word| found(u64::from_le_bytes(*word))) || found(rest)
}

/// One in each byte.
pub(crate) const EACH: u64 = 0x0101_0101_0101_0101;

/// Not zero if a byte of the word is.
#[inline(always)]
pub(crate) const fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(EACH) & !word & (0x80 * EACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_filled_up_with_zeros() {
        let bytes: Vec<u8> = (1..=40).collect();
        for len in 0..bytes.len() {
            let (words, rest) = words(&bytes[..len]);
            let mut joined = words.concat();
            joined.extend(rest.to_le_bytes());
            let (written, zeros) = joined.split_at(len);
            assert_eq!(written, &bytes[..len]);
            assert!(zeros.iter().all(|byte| *byte == 0), "{len}");
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_stands() {
        for len in 0..20 {
            assert!(!contains(&vec![b'a'; len], b'('));
            for at in 0..len {
                let mut bytes = vec![b'a'; len];
                bytes[at] = b'(';
                assert!(contains(&bytes, b'('), "{at} of {len}");
            }
        }
    }
}

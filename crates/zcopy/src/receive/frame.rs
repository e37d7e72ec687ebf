//! The length prefix: four bytes, big-endian, signed. Pure.

/// Bytes of the prefix.
pub(super) const PREFIX_LEN: usize = 4;

/// A length that cannot be allowed. Nothing behind it can be understood: close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Below zero.
    #[error("a frame announces the negative length {len}")]
    Negative {
        /// As announced.
        len: i32,
    },
    /// Beyond the limit.
    #[error("a frame announces {len} bytes, more than the {max} allowed")]
    TooLong {
        /// As announced.
        len: usize,
        /// The limit.
        max: usize,
    },
}

/// The length that `bytes` open with, if all of the prefix is there and it is at most `max`.
pub(super) fn length(bytes: &[u8], max: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = bytes.first_chunk::<PREFIX_LEN>() else { return Ok(None) };
    let len = i32::from_be_bytes(*prefix);
    let Ok(length) = usize::try_from(len) else { return Err(FrameError::Negative { len }) };
    if length > max { Err(FrameError::TooLong { len: length, max }) } else { Ok(Some(length)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_once_it_is_whole_and_allowed() {
        assert_eq!(length(&[0, 0, 1], 9), Ok(None));
        assert_eq!(length(&[0, 0, 0, 9, 1], 9), Ok(Some(9)));
        assert_eq!(length(&[0, 0, 0, 10], 9), Err(FrameError::TooLong { len: 10, max: 9 }));
        assert_eq!(length(&[0xff; 4], 9), Err(FrameError::Negative { len: -1 }));
        assert_eq!(length(&[0x80, 0, 0, 0], usize::MAX), Err(FrameError::Negative { len: i32::MIN }));
    }
}

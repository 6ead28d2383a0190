//! What is wrong with a message.

use super::table::{MAX_DEPTH, MAX_ENTRIES};

/// Why lapin must not see the properties of a message as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("its {0} is not UTF-8")]
    NotUtf8(&'static str),
    #[error("a header has the type {0:#04x}, which nobody knows")]
    UnknownType(u8),
    #[error("its headers are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    #[error("it has more than {MAX_ENTRIES} headers")]
    TooMany,
    #[error("the lengths in its properties do not add up")]
    Lengths,
    #[error("its properties are larger than a frame")]
    TooLarge,
}

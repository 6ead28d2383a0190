//! What is our own fault, and so never a verdict.

/// Why a link could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnFault {
    /// Nothing can be resolved or reached.
    Offline,
    /// The machine is out of file descriptors, local ports, buffers or memory.
    Resources,
}

impl OwnFault {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Resources => "resources",
        }
    }
}

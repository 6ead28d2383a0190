//! What is our own fault, and so never a verdict.

/// Why a link could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnFault {
    /// Nothing can be resolved or reached.
    Offline,
    /// Names lead to addresses that are not public, whatever name is asked for: the network answers in the sites' place.
    Intercepted,
    /// The proxy does not do its work.
    Proxy,
    /// The machine is out of file descriptors, local ports, buffers or memory.
    Resources,
    /// The process was stopped, or got too little of the processor, again and again.
    Stalled,
}

impl OwnFault {
    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Intercepted => "intercepted",
            Self::Proxy => "proxy",
            Self::Resources => "resources",
            Self::Stalled => "stalled",
        }
    }
}

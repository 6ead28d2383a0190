//! Addresses of askers that listen without a queue (<https://www.rabbitmq.com/docs/direct-reply-to>).
//!
//! Such an address names a process of RabbitMQ: after the prefix its id, and a key. If RabbitMQ cannot read the id, it
//! closes the whole connection of whoever publishes to it (`INTERNAL_ERROR`, seen with 3.10 and 4.0). 3.10 also does so if
//! its cluster does not have the node of that id. Anybody may write such an address into a request. So one that cannot be
//! an address gets nothing, and one of a node that no answer has reached yet is tried on a connection of its own.

use data_encoding::BASE64;

/// What such addresses begin with. RabbitMQ 3.10 delivers answers and still returns them when they are mandatory, so
/// they cannot be.
pub(super) const PREFIX: &str = "amq.rabbitmq.reply-to.";

/// The node at which an asker listens, as its address names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Node(String);

impl Node {
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

/// An address after the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Direct {
    /// RabbitMQ has not made it.
    Malformed,
    /// As the versions that we know make it.
    At(Node),
    /// It may come from a version that we do not know.
    Unfamiliar,
}

impl Direct {
    /// `None`: it is the name of a queue.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let rest = address.strip_prefix(PREFIX)?;
        let decoded = |text: &str| BASE64.decode(text.as_bytes()).ok().filter(|bytes| !bytes.is_empty());
        let parts = rest.split_once('.').and_then(|(id, key)| Some((decoded(id)?, decoded(key)?)));
        Some(match parts {
            None => Self::Malformed,
            Some((id, _)) => node_of(&id).map_or(Self::Unfamiliar, Self::At),
        })
    }
}

/// The node in the id of a process, in Erlang's external term format (<https://www.erlang.org/doc/apps/erts/erl_ext_dist>).
fn node_of(term: &[u8]) -> Option<Node> {
    const VERSION: u8 = 131;
    const NEW_PID: u8 = 88;
    const PID: u8 = 103;
    let [VERSION, kind, atom, rest @ ..] = term else { return None };
    let (length, rest) = match atom {
        b'w' | b's' => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        b'v' | b'd' => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    let (name, numbers) = rest.split_at_checked(length)?;
    // The id, a serial number, and a number of the node's start.
    let fits = match *kind {
        NEW_PID => numbers.len() == 12,
        PID => numbers.len() == 9,
        _ => false,
    };
    str::from_utf8(name).ok().filter(|_| fits).map(|name| Node(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(term: &[u8]) -> String {
        format!("{PREFIX}{}.wIGLxUncPubLQCmp/WvLpg==", BASE64.encode(term))
    }

    #[test]
    fn an_address_of_rabbitmq_names_its_node() {
        // As RabbitMQ 3.10 made it.
        let made =
            "amq.rabbitmq.reply-to.g1h2AA5yZXBseUA0NjgzNTczMgAAAtIAAAAAawhDkQ==.wIGLxUncPubLQCmp/WvLpg==";
        assert_eq!(Direct::parse(made), Some(Direct::At(Node("reply@46835732".to_owned()))));
        let old = [b"\x83gd\x00\x08rabbit@a".as_slice(), &[0; 9]].concat();
        assert_eq!(Direct::parse(&address(&old)), Some(Direct::At(Node("rabbit@a".to_owned()))));
    }

    #[test]
    fn what_rabbitmq_cannot_have_made_is_told_apart() {
        for queue in ["answers", "amq.rabbitmq.reply-to", "", "amq.gen-1"] {
            assert_eq!(Direct::parse(queue), None, "{queue}");
        }
        for rest in ["", "xxx.yyy", "abcd", "abcd.", ".abcd", "ab=d.abcd", "abcd.abcd.abcd", "ä.ö"] {
            assert_eq!(Direct::parse(&format!("{PREFIX}{rest}")), Some(Direct::Malformed), "{rest}");
        }
        let pid = [b"\x83Xw\x03a@b".as_slice(), &[0; 12]].concat();
        for unfamiliar in [&b"junk!!"[..], b"\x83w\x03foo", &pid[..pid.len() - 1], &[&pid[..], b"x"].concat()]
        {
            assert_eq!(Direct::parse(&address(unfamiliar)), Some(Direct::Unfamiliar), "{unfamiliar:?}");
        }
    }
}

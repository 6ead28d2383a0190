//! What one direction of a connection carries, piece by piece.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, BufReader};

/// Bytes that are carried, or forgotten, together.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// Part of a message that RabbitMQ delivers.
    pub(super) is_delivery: bool,
}

/// Reads pieces: whatever comes, or AMQP frame by frame.
pub(super) struct Pieces<R> {
    from: BufReader<R>,
    by_frames: bool,
    /// Whether the frames that come now belong to a delivery.
    in_delivery: bool,
}

impl<R: AsyncRead + Unpin> Pieces<R> {
    pub(super) fn any(from: R) -> Self {
        Self { from: BufReader::new(from), by_frames: false, in_delivery: false }
    }

    pub(super) fn frames(from: R) -> Self {
        Self { by_frames: true, ..Self::any(from) }
    }

    /// The next piece, or `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Piece>> {
        let bytes = if self.by_frames { self.frame().await? } else { self.whatever_comes().await? };
        Ok(bytes.map(|bytes| Piece { bytes, is_delivery: self.in_delivery }))
    }

    async fn whatever_comes(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::with_capacity(16 * 1024);
        Ok((self.from.read_buf(&mut bytes).await? > 0).then_some(bytes))
    }

    /// A frame is its type, channel and size, so many bytes, and a last one (AMQP 0-9-1, 4.2.3).
    async fn frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut frame = vec![0; 7];
        match self.from.read_exact(&mut frame).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
        frame.resize(7 + size + 1, 0);
        self.from.read_exact(&mut frame[7..]).await?;
        self.in_delivery = self.is_of_delivery(&frame);
        Ok(Some(frame))
    }

    /// A delivery is a method, a header and any number of bodies. A heartbeat comes between two of them.
    fn is_of_delivery(&self, frame: &[u8]) -> bool {
        const METHOD: u8 = 1;
        const HEARTBEAT: u8 = 8;
        const BASIC_DELIVER: [u8; 4] = [0, 60, 0, 60];
        match frame[0] {
            METHOD => frame[7..].starts_with(&BASIC_DELIVER),
            HEARTBEAT => false,
            _ => self.in_delivery,
        }
    }
}

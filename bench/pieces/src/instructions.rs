//! Carries out one piece so many times, for `scripts/instructions`. Without arguments it names the pieces.

#![expect(clippy::print_stdout, reason = "it prints names")]

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let mut pieces = linkbeat_pieces::all()?;
    let mut arguments = std::env::args().skip(1);
    let Some(name) = arguments.next() else {
        pieces.iter().for_each(|piece| println!("{} {}", piece.times, piece.name));
        return Ok(());
    };
    let times = arguments.next().context("how often?")?.parse()?;
    let piece = pieces.iter_mut().find(|piece| piece.name == name).context("there is no such piece")?;
    (0..times).for_each(|_| (piece.run)());
    Ok(())
}

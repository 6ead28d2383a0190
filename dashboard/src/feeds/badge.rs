//! A badge as SVG, without styles and scripts.

use axum::extract::{Path, State};

use super::answer::{Answer, Kind, NoFeed};
use super::escape::xml;
use super::standing::Standing;
use super::wanted::Wanted;
use crate::serve::App;

pub(super) async fn of_all(State(app): State<App>, wanted: Wanted) -> Result<Answer, NoFeed> {
    let standing = Standing::of_all(&app, &wanted).await?;
    Ok(Answer::of(&app, Kind::Svg, made(&standing)))
}

pub(super) async fn of_link(
    State(app): State<App>,
    id: Path<String>,
    wanted: Wanted,
) -> Result<Answer, NoFeed> {
    let standing = Standing::of_link(&app, &id, &wanted).await?;
    Ok(Answer::of(&app, Kind::Svg, made(&standing)))
}

/// Space beside a text, in pixels.
const PADDING: u32 = 6;

fn made(standing: &Standing) -> String {
    let Standing { label, message, colour } = standing;
    let (left, right) = (width(label), width(message));
    let (label_width, message_width) = (boxed(left), boxed(right));
    let whole = label_width + message_width;
    let (label_at, message_at) = (PADDING, label_width + PADDING);
    let (label, message) = (xml(label), xml(message));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{whole}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {message}\"><title>{label}: {message}</title>\
         <rect width=\"{label_width}\" height=\"20\" fill=\"#3d3d3d\"/>\
         <rect x=\"{label_width}\" width=\"{message_width}\" height=\"20\" fill=\"{}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\
         <text x=\"{label_at}\" y=\"14\" textLength=\"{left}\">{label}</text>\
         <text x=\"{message_at}\" y=\"14\" textLength=\"{right}\">{message}</text></g></svg>\n",
        colour.code()
    )
}

fn boxed(width: u32) -> u32 {
    if width == 0 { 0 } else { width + 2 * PADDING }
}

/// About how wide a text is in Verdana of 11 pixels. `textLength` makes it fit.
fn width(text: &str) -> u32 {
    let tenths: u32 = text.chars().map(tenths).sum();
    tenths.div_ceil(10)
}

/// The width of a character in tenths of a pixel.
fn tenths(c: char) -> u32 {
    match c {
        'i' | 'j' | 'l' | 'I' | '\'' | '|' | ' ' | '.' | ',' | ':' | ';' | '!' => 40,
        'f' | 'r' | 't' | '(' | ')' | '[' | ']' | '/' | '-' => 46,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 105,
        'A'..='Z' => 77,
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' => 0,
        c if c.is_ascii() => 68,
        // Chinese, Japanese, Korean and emoji are as wide as high.
        '\u{1100}'.. => 110,
        _ => 72,
    }
}

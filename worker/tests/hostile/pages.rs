//! Pages: every coding and charset, and those that never end.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use linkbeat_shared::Reason;
use tokio::io::AsyncWriteExt;

use super::row::Row;
use super::street::{MAX_BODY, answering, playing};
use crate::site::{Site, answer, chunk, page};

/// Found in every charset that can say it.
const BACKLINK: &str = "链接";
const JAPANESE: &str = "リンク";

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (case, headers, body) in codings() {
        let site = answering(answer("200 OK", &headers, body)).await;
        rows.push(Row::new(format!("page: {case}"), site).asking("me.example"));
    }
    for (case, codings, body) in transfer_codings() {
        let head = format!("HTTP/1.1 200 OK\r\n{codings}\r\n\r\n");
        let site = answering([head.into_bytes(), body].concat()).await;
        rows.push(Row::new(format!("page: {case}"), site).asking("me.example"));
    }
    for (case, content_type, body, pattern) in charsets() {
        let site = answering(answer("200 OK", &[content_type], body)).await;
        rows.push(Row::new(format!("charset: {case}"), site).asking(pattern));
    }
    let bomb = |coding, bytes| answer("200 OK", &[coding], bytes);
    let zeros = vec![b'x'; 64 << 20];
    let long = |before: usize| page([&"x".repeat(before), "me.example"].concat());
    for (case, site) in [
        ("a gzip bomb", answering(bomb("Content-Encoding: gzip", gzip(&zeros))).await),
        ("a deflate bomb", answering(bomb("Content-Encoding: deflate", zlib(&zeros))).await),
        ("an endless page", endless().await),
        ("the backlink behind the cap", answering(long(MAX_BODY)).await),
    ] {
        rows.push(Row::new(format!("page: {case}"), site).asking("me.example").no_backlink(true));
    }
    let not_gzip = answering(answer("200 OK", &["Content-Encoding: gzip"], "me.example")).await;
    let not_offered = answering(answer("200 OK", &["Content-Encoding: zstd"], "me.example")).await;
    rows.extend([
        Row::new("page: the backlink before the cap", answering(long(MAX_BODY - 10)).await)
            .asking("me.example"),
        Row::new("page: no backlink", answering(page("nothing")).await)
            .asking("me.example")
            .no_backlink(false),
        Row::new("page: none at all", answering(page("")).await).asking("me.example").no_backlink(false),
        Row::new("page: none at all, packed", nothing_in("gzip").await)
            .asking("me.example")
            .no_backlink(false),
        Row::new("page: none at all, packed otherwise", nothing_in("br, deflate").await)
            .asking("me.example")
            .no_backlink(false),
        Row::new("page: gzip that breaks off behind the backlink", cut_gzip().await).asking("me.example"),
        Row::new("page: the backlink on a page that is gone", gone().await)
            .asking("me.example")
            .down(Reason::Status { code: 404 }),
        Row::new("page: no gzip at all", not_gzip).asking("me.example").down(Reason::BROKE_OFF),
        Row::new("page: a coding that was not offered", not_offered)
            .asking("me.example")
            .down(Reason::BROKE_OFF),
        Row::new("page: byte by byte in chunks", byte_by_byte().await).asking("me.example"),
        Row::new(
            "page: a bomb, and no backlink asked for",
            answering(bomb("Content-Encoding: gzip", gzip(&zeros))).await,
        ),
    ]);
    rows
}

fn codings() -> Vec<(&'static str, Vec<&'static str>, Vec<u8>)> {
    let text = b"<a href=https://me.example/>";
    vec![
        ("plain", vec![], text.to_vec()),
        ("gzip", vec!["Content-Encoding: gzip"], gzip(text)),
        ("deflate", vec!["Content-Encoding: deflate"], zlib(text)),
        ("brotli", vec!["Content-Encoding: br"], brotli(text)),
        ("a coding nobody knows, in plain", vec!["Content-Encoding: identity"], text.to_vec()),
        ("a word that is no coding", vec!["Content-Encoding: utf-8"], text.to_vec()),
        ("gzip in capitals", vec!["Content-Encoding: GZIP"], gzip(text)),
        ("gzip by its old name", vec!["Content-Encoding: X-Gzip"], gzip(text)),
        ("gzip in two parts", vec!["Content-Encoding: gzip"], [gzip(&text[..9]), gzip(&text[9..])].concat()),
        ("gzip and zeros", vec!["Content-Encoding: gzip"], [gzip(text), vec![0; 512]].concat()),
        ("deflate without its wrapper", vec!["Content-Encoding: deflate"], deflate(text)),
        ("zlib that is called gzip", vec!["Content-Encoding: gzip"], zlib(text)),
        ("gzip that is called deflate", vec!["Content-Encoding: deflate"], gzip(text)),
        ("brotli in capitals", vec!["Content-Encoding: BR"], brotli(text)),
        ("two codings", vec!["Content-Encoding: deflate, gzip"], gzip(&zlib(text))),
        (
            "two codings in two lines",
            vec!["Content-Encoding: br", "Content-Encoding: gzip"],
            gzip(&brotli(text)),
        ),
        ("gzip and nothing", vec!["Content-Encoding: gzip, identity"], gzip(text)),
        ("gzip among empty words", vec!["Content-Encoding: , gzip ,"], gzip(text)),
        ("gzip over gzip", vec!["Content-Encoding: gzip, gzip"], gzip(&gzip(text))),
        (
            "three codings",
            vec!["Content-Encoding: X-GZIP,deflate", "Content-Encoding: Br"],
            brotli(&zlib(&gzip(text))),
        ),
        ("another word that is no coding", vec!["Content-Encoding: none"], text.to_vec()),
        ("an empty word", vec!["Content-Encoding: "], text.to_vec()),
        ("zlib and zeros", vec!["Content-Encoding: deflate"], [zlib(text), vec![0; 512]].concat()),
    ]
}

/// Codings that curl undoes as well, though no server is asked for them.
fn transfer_codings() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let text = b"<a href=https://me.example/>";
    let chunks = |body: Vec<u8>| {
        let cut = body.len() / 2;
        let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
        [chunk(&body[..cut]), chunk(&body[cut..]), b"0\r\n\r\n".to_vec()].concat()
    };
    vec![
        ("gzip in chunks", "Transfer-Encoding: gzip, chunked", chunks(gzip(text))),
        ("deflate in chunks", "Transfer-Encoding: Deflate, Chunked", chunks(zlib(text))),
        (
            "gzip in chunks, by two lines",
            "Transfer-Encoding: x-gzip\r\nTransfer-Encoding: chunked",
            chunks(gzip(text)),
        ),
        ("gzip to the end of the connection", "Transfer-Encoding: gzip", gzip(text)),
        (
            "brotli within gzip in chunks",
            "Content-Encoding: br\r\nTransfer-Encoding: gzip, chunked",
            chunks(gzip(&brotli(text))),
        ),
    ]
}

type Charset = (&'static str, &'static str, Vec<u8>, &'static str);

fn charsets() -> Vec<Charset> {
    let in_utf_16 = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let gbk = encoding_rs::GBK.encode(BACKLINK).0.into_owned();
    let big5 = encoding_rs::BIG5.encode("連結").0.into_owned();
    let shift_jis = encoding_rs::SHIFT_JIS.encode(JAPANESE).0.into_owned();
    let by_meta = [b"<meta charset=gbk>", &gbk[..]].concat();
    let html = "Content-Type: text/html";
    vec![
        ("UTF-8 unless said otherwise", html, BACKLINK.into(), BACKLINK),
        ("GBK by header", "Content-Type: text/html; charset=gbk", gbk, BACKLINK),
        ("GBK by meta", html, by_meta, BACKLINK),
        ("Big5 by header", "Content-Type: text/html; charset=\"Big5\"", big5, "連結"),
        ("Shift-JIS by header", "Content-Type: text/html;charset=Shift_JIS", shift_jis, JAPANESE),
        ("UTF-16 by its mark", html, in_utf_16(BACKLINK), BACKLINK),
        (
            "UTF-16 by its mark, against the header",
            "Content-Type: text/html; charset=gbk",
            in_utf_16(BACKLINK),
            BACKLINK,
        ),
    ]
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// HTTP's `deflate` is the zlib format (RFC 9110 §8.4.1.2).
fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// What some servers take `deflate` for (RFC 1951).
fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// One uncompressed meta-block and the empty last one (RFC 7932 §9.2).
fn brotli(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len() - 1).unwrap();
    assert!(length < 1 << 16, "a length of four nibbles");
    let header = (length << 4 | 1 << 20).to_le_bytes();
    [&header[..3], text, &[3]].concat()
}

/// An empty body, of which it is said that it is packed.
async fn nothing_in(codings: &str) -> Site {
    answering(answer("200 OK", &[&format!("Content-Encoding: {codings}")], "")).await
}

/// A whole answer, whose gzip lacks its end.
async fn cut_gzip() -> Site {
    let packed = gzip(&[&b"<a href=https://me.example/>"[..], &vec![b'x'; 50_000]].concat());
    answering(answer("200 OK", &["Content-Encoding: gzip"], &packed[..packed.len() - 9])).await
}

async fn gone() -> Site {
    answering(answer("404 Not Found", &[], "me.example")).await
}

async fn byte_by_byte() -> Site {
    playing(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for byte in b"<p>me.example</p>" {
            visit.send(chunk(&[*byte])).await;
        }
        visit.send("0\r\n\r\n").await;
    })
    .await
}

async fn endless() -> Site {
    playing(|mut visit, _| async move {
        visit.request().await;
        visit.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let piece = chunk(&[b'x'; 10_000]);
        while visit.stream.write_all(&piece).await.is_ok() {}
    })
    .await
}

//! The steps of a check, for people.

use std::fmt::Display;

use linkbeat_shared::{CheckResult, CheckSpec, Lang, Note, Phase, Reason, Verdict};
use linkbeat_worker::{HeaderLine, OwnFault, Spent, Step, Told};
use unicode_width::UnicodeWidthStr;

/// What stands before a step: when it was taken. Further lines of it begin below the step.
pub(crate) const STAMP: usize = "123456 ms  ".len();

/// A step in words, in one or more lines.
pub(crate) fn lines(told: &Told, lang: Lang) -> Vec<String> {
    let say = |english, chinese| said(lang, english, chinese);
    let mut lines = match &told.step {
        Step::Asks { url } => vec![format!("GET {url}")],
        Step::Dials { addresses } => vec![format!("{} {}", say("dials", "连接地址"), joined(addresses))],
        Step::Certificate(certificate) => vec![format!(
            "{} {}, {} {}",
            say("certificate until", "证书有效期至"),
            certificate.expires_at.format("%Y-%m-%d %H:%M UTC"),
            say("issued by", "颁发者"),
            certificate.issuer
        )],
        Step::Answers { status, address, kept, headers, phases } => {
            let from =
                address.map(|address| format!(" {} {address}", say("from", "来自"))).unwrap_or_default();
            let kept = if *kept { say(" over a kept connection", "（复用连接）") } else { "" };
            let mut lines =
                vec![format!("{} {status}{from}{kept}", say("status", "状态码")), spent(phases, lang)];
            lines.extend(headers.iter().map(|HeaderLine { name, value }| format!("  {name}: {value}")));
            lines
        }
        Step::NoAnswer { reason, phases } => vec![no_answer(reason.as_ref(), lang), spent(phases, lang)],
        Step::Reads { bytes, text_bytes, elapsed_ms } => {
            let text = match text_bytes {
                0 => String::new(),
                bytes => format!(", {bytes} {}", say("bytes of text", "字节文本")),
            };
            let read = say("bytes of the page read in", "字节网页内容，用时");
            vec![format!("{bytes} {read} {elapsed_ms} ms{text}")]
        }
        Step::Searches { found: false, .. } => {
            vec![say("the backlink is not in what was read", "已读内容中没有回链").to_owned()]
        }
        Step::Searches { nofollow, offset, context, .. } => {
            backlink(*nofollow, *offset, context.as_deref(), lang)
        }
        Step::TriesAgain { after_ms } => {
            vec![format!("{} {after_ms} ms", say("tries again in", "稍后重试，间隔"))]
        }
    };
    lines.retain(|line| !line.is_empty());
    let stamp = format!("{:>6} ms  ", told.at_ms);
    let other = if told.chain > 1 { format!("[{}] ", told.chain) } else { String::new() };
    for (number, line) in lines.iter_mut().enumerate() {
        let stamp = if number == 0 { stamp.clone() } else { " ".repeat(stamp.len()) };
        *line = format!("{stamp}{other}{line}");
    }
    lines
}

/// A line in as many as a terminal of so many columns needs, broken between words. What continues it stands two columns
/// further to the right than `indent`. A word that no line has room for is left whole, so that a URL can be copied.
pub(crate) fn fitted(line: &str, indent: usize, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| line.width() > *width) else { return vec![line.to_owned()] };
    let indent = " ".repeat(indent + 2);
    let (mut lines, mut current) = (Vec::new(), String::new());
    for word in line.split_inclusive(' ') {
        let needed = word.trim_end().width();
        let is_full = current.width() + needed > width && indent.width() + needed <= width;
        if is_full && !current.trim().is_empty() {
            lines.push(current.trim_end().to_owned());
            current.clone_from(&indent);
        }
        current += word;
    }
    lines.push(current.trim_end().to_owned());
    lines
}

/// The verdict, and the rule behind it.
pub(crate) fn verdict(result: &CheckResult, spec: &CheckSpec, lang: Lang) -> Vec<String> {
    let say = |english, chinese| said(lang, english, chinese);
    let word = result.verdict.map_or("–", Verdict::as_str);
    let mut lines = vec![format!("{}: {word}", say("verdict", "结果"))];
    if let Some(reason) = &result.reason {
        lines.push(format!("{}: {}", say("reason", "原因"), lang.reason_of(reason, result.details.failed)));
    }
    lines.push(format!("{}: {}", say("rule", "规则"), rule(result, spec, lang)));
    lines.push(format!("{}: {} ms", say("took", "用时"), result.elapsed_ms));
    let notes = result.details.notes.iter().map(|note: &Note| lang.note(*note).unwrap_or(note.as_str()));
    lines.extend(notes.map(|note| format!("{}: {note}", say("note", "提示"))));
    lines
}

/// Why a verdict is what it is.
pub(crate) fn rule(result: &CheckResult, spec: &CheckSpec, lang: Lang) -> String {
    let say = |english: &str, chinese: &str| said(lang, english, chinese).to_owned();
    let accept = &spec.accept;
    match (result.verdict, &result.reason) {
        (Some(Verdict::Up), _) if spec.backlink.is_some() => say(
            "the final status is accepted, and the page has the backlink",
            "最终状态码可接受，且网页有回链",
        ),
        (Some(Verdict::Up), _) => {
            say("the final status is accepted, and no backlink is asked for", "最终状态码可接受，未要求回链")
        }
        (Some(Verdict::NoBacklink), _) => say(
            "the final status is accepted, but the page lacks the backlink: a shown link would be hidden",
            "最终状态码可接受，但网页没有回链：显示中的链接会被隐藏",
        ),
        (Some(Verdict::Blocked), _) => say(
            "the final status is not accepted, and an anti-bot wall or a rate limit gave it: --on-blocked decides",
            "最终状态码不可接受，且来自防机器人或限流：由 --on-blocked 决定",
        ),
        (Some(Verdict::Refused), _) => say(
            "the URL or an address that it leads to is not fetched: a shown link would be hidden",
            "该网址或其指向的地址不予访问：显示中的链接会被隐藏",
        ),
        (_, Some(Reason::Status { .. })) => format!(
            "{} ({accept}): {}",
            say("the final status is not accepted", "最终状态码不可接受"),
            say("a shown link would be hidden", "显示中的链接会被隐藏")
        ),
        _ => say(
            "no answer that can be judged: a shown link would be hidden",
            "没有可判断的回应：显示中的链接会被隐藏",
        ),
    }
}

/// That the link could not be judged.
pub(crate) fn own_fault(fault: OwnFault, lang: Lang) -> String {
    let text =
        said(lang, "the link could not be judged, and that is not its fault", "无法判断该链接，原因不在对方");
    format!("{text}: {}", fault.as_str())
}

/// That others are being told.
pub(crate) fn busy(lang: Lang) -> &'static str {
    said(lang, "other links are being explained; try again soon", "正在说明其他链接，请稍后再试")
}

fn said<'t>(lang: Lang, english: &'t str, chinese: &'t str) -> &'t str {
    match lang {
        Lang::En => english,
        Lang::Zh => chinese,
    }
}

fn joined<T: Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn no_answer(reason: Option<&Reason>, lang: Lang) -> String {
    match reason {
        Some(reason) => format!("{}: {}", said(lang, "no answer", "没有回应"), lang.reason(reason)),
        None => said(lang, "no answer, by our own fault", "没有回应，原因在本机").to_owned(),
    }
}

/// `turn 0 ms, DNS 12 ms, connect 30 ms, TLS 41 ms, first byte 80 ms`.
fn spent(phases: &[Spent], lang: Lang) -> String {
    let name = |phase| match phase {
        Phase::Queue => said(lang, "turn", "排队"),
        Phase::Dns => "DNS",
        Phase::Connect => said(lang, "connect", "连接"),
        Phase::Tls => "TLS",
        Phase::Headers => said(lang, "first byte", "首字节"),
        Phase::Body => said(lang, "body", "正文"),
        Phase::Other => said(lang, "other", "其他"),
    };
    // Nobody waited for these.
    let spent = phases.iter().filter(|spent| spent.ms > 0 || spent.phase != Phase::Queue);
    joined(&spent.map(|spent| format!("{} {} ms", name(spent.phase), spent.ms)).collect::<Vec<_>>())
}

fn backlink(nofollow: bool, offset: Option<u64>, context: Option<&str>, lang: Lang) -> Vec<String> {
    let place = match offset {
        Some(offset) => format!("{} {offset}", said(lang, "at byte", "位于字节")),
        None => said(lang, "written in another way than the pattern", "写法与模式不同").to_owned(),
    };
    let nofollow = if nofollow {
        said(lang, ", in links with nofollow only", "，仅在 nofollow 链接中")
    } else {
        ""
    };
    let found = format!("{}{place}{nofollow}", said(lang, "the backlink is there, ", "找到回链，"));
    let context = context.map(|context| format!("  … {context} …"));
    std::iter::once(found).chain(context).collect()
}

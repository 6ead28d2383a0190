//! Reasons as text, for people: English or Chinese. The only place where a reason becomes prose.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::details::{FailedPage, Note};
use crate::reason::{BadUrlKind, BodyKind, ConnectKind, DnsKind, Phase, Reason, RedirectKind, TlsKind};

/// The language of texts made for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese; the texts for a status and a missing backlink are the original task's, to the letter.
    Zh,
}

impl Lang {
    /// One sentence without a full stop.
    pub fn reason(self, reason: &Reason) -> String {
        match self {
            Self::En => english(reason),
            Self::Zh => chinese(reason),
        }
    }

    /// The same, naming which of a link's two pages failed.
    pub fn reason_of(self, reason: &Reason, failed: Option<FailedPage>) -> String {
        let reason = self.reason(reason);
        let page = match (self, failed) {
            (_, None | Some(FailedPage::Other)) => return reason,
            (Self::En, Some(FailedPage::Home)) => "home page: ",
            (Self::En, Some(FailedPage::LinksPage)) => "links page: ",
            (Self::En, Some(FailedPage::Both)) => "home page and links page: ",
            (Self::Zh, Some(FailedPage::Home)) => "首页：",
            (Self::Zh, Some(FailedPage::LinksPage)) => "友链页面：",
            (Self::Zh, Some(FailedPage::Both)) => "首页和友链页面：",
        };
        format!("{page}{reason}")
    }

    /// A note as people say it; `None`: one that only a newer version can tell.
    pub fn note(self, note: Note) -> Option<&'static str> {
        let (english, chinese) = match note {
            Note::Downgraded => ("redirected from https to http", "从 https 跳转到 http"),
            Note::Nofollow => ("the backlink is nofollow", "外链带有 nofollow"),
            Note::MetaRefresh => ("the page refreshes to another", "网页自动刷新到其他页面"),
            Note::Scripted => ("the page builds its links by script", "网页的链接由脚本生成"),
            Note::MovedDomain => ("moved to another domain", "跳转到其他域名"),
            Note::Parked => ("looks parked or for sale", "疑似域名停放或出售"),
            Note::TitleChanged => ("has quite another title than before", "网页标题与以前完全不同"),
            Note::LanguageChanged => ("is in another language than before", "网页语言与以前不同"),
            Note::Other => return None,
        };
        Some(match self {
            Self::En => english,
            Self::Zh => chinese,
        })
    }
}

impl FromStr for Lang {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // The language of a locale such as `zh_CN.UTF-8` or `en-GB` (RFC 5646).
        let language = text.split(['_', '-', '.', '@']).next().unwrap_or_default();
        match language.to_ascii_lowercase().as_str() {
            "en" | "c" | "posix" => Ok(Self::En),
            "zh" => Ok(Self::Zh),
            _ => Err(format!("`{text}` is no language linkbeat speaks; en and zh are")),
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::En => "en",
            Self::Zh => "zh",
        })
    }
}

fn english(reason: &Reason) -> String {
    let text = match reason {
        Reason::Status { code } => return format!("the page answered {code}"),
        Reason::Timeout { phase } => match phase {
            Phase::Dns => "timed out looking up the host's address",
            Phase::Connect => "timed out connecting",
            Phase::Tls => "timed out in the TLS handshake",
            Phase::Headers => "timed out waiting for an answer",
            Phase::Body => "timed out reading the page",
            Phase::Queue => "timed out waiting for a turn at this host",
            Phase::Other => "timed out",
        },
        Reason::Dns { kind } => match kind {
            DnsKind::Nxdomain => "the host's name does not exist",
            DnsKind::Servfail => "the name servers of this host fail",
            DnsKind::Refused => "the name servers of this host refuse to answer",
            DnsKind::NoAddress => "the host's name has no address",
            DnsKind::CnameLoop => "the host's name is an alias that leads in a circle",
            DnsKind::Timeout => "the name servers of this host do not answer",
            DnsKind::Other => "the host's name could not be looked up",
        },
        Reason::Connect { kind } => match kind {
            ConnectKind::Refused => "the connection was refused",
            ConnectKind::Reset => "the connection was reset",
            ConnectKind::Closed => "the connection was closed before an answer",
            ConnectKind::Unreachable => "the host cannot be reached",
            ConnectKind::Other => "the connection failed",
        },
        Reason::Tls { kind } => match kind {
            TlsKind::Expired => "the certificate has expired",
            TlsKind::NotYetValid => "the certificate is not valid yet",
            TlsKind::SelfSigned => "the certificate is self-signed",
            TlsKind::WrongHost => "the certificate is for another host",
            TlsKind::UnknownIssuer => "the certificate's issuer is unknown",
            TlsKind::IncompleteChain => "the server leaves out an intermediate certificate",
            TlsKind::Revoked => "the certificate was revoked",
            TlsKind::OldProtocol => "the server speaks no TLS newer than 1.1",
            TlsKind::NoCommonCipher => "the server accepts no modern TLS cipher",
            TlsKind::UnsupportedName => {
                "linkbeat cannot ask over TLS for a name with a hyphen at the end of a label"
            }
            TlsKind::Other => "the TLS handshake failed",
        },
        Reason::Redirect { kind } => match kind {
            RedirectKind::Loop => "the redirects lead in a circle",
            RedirectKind::TooMany => "too many redirects",
            RedirectKind::NoLocation => "a redirect does not say where to",
            RedirectKind::BadLocation => "a redirect leads to no usable URL",
            RedirectKind::Other => "the redirects failed",
        },
        Reason::Protocol => "the answer is not valid HTTP",
        Reason::Body { kind: BodyKind::PatternTooSlow } => "the backlink pattern takes too long on this page",
        Reason::Body { .. } => "the page broke off before the backlink was found",
        Reason::BacklinkMissing { truncated: false } => "the page does not link back",
        Reason::BacklinkMissing { truncated: true } => {
            "no link back in the part of the page that was read (it is over the size limit)"
        }
        Reason::UnsafeAddress { address: Some(address) } => {
            return format!("not fetched: {address} is not a public address");
        }
        Reason::UnsafeAddress { address: None } => "not fetched: its address is not public",
        Reason::BadUrl { kind } => match kind {
            BadUrlKind::Host => "not fetched: the URL's host is invalid",
            BadUrlKind::Other => "not fetched: the URL is malformed",
        },
        Reason::Noted { note } => Lang::En.note(*note).unwrap_or("noted by a newer version of linkbeat"),
        Reason::Other => "failed for a reason that this version of linkbeat does not know",
    };
    text.to_owned()
}

fn chinese(reason: &Reason) -> String {
    let text = match reason {
        // The original task's text; every exception looked like a 500 there.
        Reason::Status { code } => return format!("网页请求返回{code}"),
        Reason::BacklinkMissing { truncated: false } => "网站未设置本站外链",
        Reason::BacklinkMissing { truncated: true } => "网页过大，已读取的部分未找到本站外链",
        Reason::Timeout { phase } => match phase {
            Phase::Dns => "域名解析超时",
            Phase::Connect => "连接超时",
            Phase::Tls => "TLS 握手超时",
            Phase::Headers => "等待响应超时",
            Phase::Body => "读取网页超时",
            Phase::Queue => "等待该主机的空闲连接超时",
            Phase::Other => "请求超时",
        },
        Reason::Dns { kind } => match kind {
            DnsKind::Nxdomain => "域名不存在",
            DnsKind::Servfail => "域名服务器故障",
            DnsKind::Refused => "域名服务器拒绝应答",
            DnsKind::NoAddress => "域名没有地址记录",
            DnsKind::CnameLoop => "域名别名循环",
            DnsKind::Timeout => "域名服务器无应答",
            DnsKind::Other => "域名解析失败",
        },
        Reason::Connect { kind } => match kind {
            ConnectKind::Refused => "连接被拒绝",
            ConnectKind::Reset => "连接被重置",
            ConnectKind::Closed => "连接在响应前被关闭",
            ConnectKind::Unreachable => "主机不可达",
            ConnectKind::Other => "连接失败",
        },
        Reason::Tls { kind } => match kind {
            TlsKind::Expired => "证书已过期",
            TlsKind::NotYetValid => "证书尚未生效",
            TlsKind::SelfSigned => "证书为自签名",
            TlsKind::WrongHost => "证书与域名不符",
            TlsKind::UnknownIssuer => "证书颁发者未知",
            TlsKind::IncompleteChain => "证书链不完整",
            TlsKind::Revoked => "证书已被吊销",
            TlsKind::OldProtocol => "服务器仅支持 TLS 1.1 或更旧的协议",
            TlsKind::NoCommonCipher => "服务器不支持任何现代 TLS 加密套件",
            TlsKind::UnsupportedName => "域名标签以连字符开头或结尾，linkbeat 无法以该名称建立 TLS 连接",
            TlsKind::Other => "TLS 握手失败",
        },
        Reason::Redirect { kind } => match kind {
            RedirectKind::Loop => "重定向循环",
            RedirectKind::TooMany => "重定向次数过多",
            RedirectKind::NoLocation => "重定向未给出地址",
            RedirectKind::BadLocation => "重定向地址无效",
            RedirectKind::Other => "重定向失败",
        },
        Reason::Protocol => "响应不是有效的 HTTP",
        Reason::Body { kind: BodyKind::PatternTooSlow } => "在该网页上匹配外链的正则表达式耗时过长",
        Reason::Body { .. } => "网页中断，未找到本站外链",
        Reason::UnsafeAddress { address: Some(address) } => return format!("未访问：{address} 不是公网地址"),
        Reason::UnsafeAddress { address: None } => "未访问：不是公网地址",
        Reason::BadUrl { kind } => match kind {
            BadUrlKind::Host => "未访问：主机名无效",
            BadUrlKind::Other => "未访问：网址格式错误",
        },
        Reason::Noted { note } => Lang::Zh.note(*note).unwrap_or("由更新版本的 linkbeat 标注"),
        Reason::Other => "未知原因（由更新版本的 linkbeat 给出）",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_texts_of_the_original_task_are_kept_to_the_letter() {
        assert_eq!(Lang::Zh.reason(&Reason::Status { code: 404 }), "网页请求返回404");
        assert_eq!(Lang::Zh.reason(&Reason::BacklinkMissing { truncated: false }), "网站未设置本站外链");
    }

    #[test]
    fn a_locale_names_its_language() {
        for text in ["zh", "zh_CN", "zh_CN.UTF-8", "zh-Hans-CN", "ZH_TW"] {
            assert_eq!(text.parse(), Ok(Lang::Zh), "{text}");
        }
        for text in ["en", "en_GB.UTF-8", "C.UTF-8", "POSIX"] {
            assert_eq!(text.parse(), Ok(Lang::En), "{text}");
        }
        assert!("de_DE".parse::<Lang>().is_err());
        assert_eq!(serde_json::to_value(Lang::Zh).unwrap(), "zh");
    }

    #[test]
    fn english_is_the_default() {
        assert_eq!(Lang::default().reason(&Reason::Status { code: 404 }), "the page answered 404");
    }

    #[test]
    fn the_text_names_the_page_that_failed() {
        let gone = Reason::Status { code: 404 };
        for (failed, english, chinese) in [
            (None, "the page answered 404", "网页请求返回404"),
            (Some(FailedPage::Home), "home page: the page answered 404", "首页：网页请求返回404"),
            (Some(FailedPage::LinksPage), "links page: the page answered 404", "友链页面：网页请求返回404"),
            (
                Some(FailedPage::Both),
                "home page and links page: the page answered 404",
                "首页和友链页面：网页请求返回404",
            ),
        ] {
            assert_eq!(Lang::En.reason_of(&gone, failed), english);
            assert_eq!(Lang::Zh.reason_of(&gone, failed), chinese);
        }
    }
}

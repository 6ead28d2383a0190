//! Pages of domains that are parked or for sale.
//!
//! Each row of the tables names its source. Only what no honest page carries is in them: a blog may write about
//! domains for sale, so words count in a title alone, and there as whole sentences.
//!
//! Name servers are not asked: that would cost one more query for each check.

use std::sync::LazyLock;

use regex::RegexSet;

use crate::fetch::Outline;

/// Hosts that serve parked pages, with their subdomains: as the end of redirects, and in scripts and frames.
const HOSTS: [(&str, &str); 24] = [
    ("sedoparking.com", "Sedo: ns1.sedoparking.com, sedo.com/us/park-domains"),
    ("parking.sedo.com", "Sedo"),
    ("parkingcrew.net", "ParkingCrew: ns1.parkingcrew.net, parkingcrew.com"),
    ("d38psrni17bvxu.cloudfront.net", "ParkingCrew: the pictures of its pages"),
    ("bodis.com", "Bodis: ns1.bodis.com, bodis.com"),
    ("parklogic.com", "ParkLogic: router.parklogic.com, parklogic.com"),
    ("above.com", "Above: ns1.above.com, above.com/domain-parking"),
    ("voodoo.com", "Voodoo: voodoo.com/domain-parking"),
    ("cashparking.com", "GoDaddy CashParking: ns1.cashparking.com"),
    ("afternic.com", "Afternic: ns1.afternic.com, afternic.com/forsale"),
    ("dan.com", "Dan, now Afternic: dan.com/buy-domain"),
    ("undeveloped.com", "the former name of Dan"),
    ("hugedomains.com", "HugeDomains: hugedomains.com/domain_profile.cfm"),
    ("uniregistrymarket.link", "Uniregistry Market"),
    ("buydomains.com", "BuyDomains: buydomains.com/lander"),
    ("dsparking.com", "DomainSponsor"),
    ("cdnpark.com", "Tucows and Skenzo: the files of their pages"),
    ("skenzo.com", "Skenzo: skenzo.com"),
    ("parked.porkbun.com", "Porkbun: parked.porkbun.com"),
    ("parkingpage.namecheap.com", "Namecheap: parkingpage.namecheap.com"),
    ("parking.namebright.com", "NameBright"),
    ("dropcatch.com", "DropCatch: auctions of expired domains"),
    ("iseaskies.com", "Bodis and Sedo: the filter of their pages' visitors"),
    ("youseasky.com", "Bodis and Sedo: the filter of their pages' visitors"),
];

/// Parts of the addresses of scripts in parked pages, where the host serves other pages as well.
const SOURCES: [(&str, &str); 3] = [
    ("img1.wsimg.com/parking-lander/", "GoDaddy and Afternic"),
    ("assets.squarespace.com/universal/scripts-compressed/parking-page-", "Squarespace"),
    ("/px.js?ch=", "Bodis and ParkingCrew: how a page tells that it was seen"),
];

/// What scripts of parked pages say.
const SCRIPTS: [(&str, &str); 5] = [
    ("window.LANDER_SYSTEM", "GoDaddy and Afternic"),
    ("window.location.href=\"/lander\"", "GoDaddy: the whole of the first page"),
    ("ap:\"parking\"", "GoDaddy: what its page tells of itself"),
    ("window.park = \"", "Bodis"),
    ("google.ads.domains.Caf", "Google AdSense for Domains: developers.google.com/custom-search-ads"),
];

/// A host in a title.
const HOST: &str = r"[a-z0-9-]+(\.[a-z0-9-]+)+";
/// Behind the sentence nothing more is said, or who sells. So a post that begins like it is none.
const END: &str = r"\s*($|[!.|–—-]|(by|on|at) )";

/// Sentences of titles. `HOST` and `END` stand for the above.
static TITLES: LazyLock<RegexSet> = LazyLock::new(|| {
    constant(&[
        // HugeDomains: `example.com is for sale | HugeDomains`. Afternic, Dan, Sedo and Spaceship say the same.
        r"^\s*HOST( domain( name)?)? (is|may be) (for sale|available for purchase)",
        r"(^|[|–—-])\s*(this|the) (premium )?(domain|website)( name)?( HOST)? (is|may be) (for sale|available for purchase)END",
        r"^\s*(HOST *[:|–—-] *)?(premium )?domain( name)? for sale\s*($|[:!|–—-])",
        r"^\s*buy this domain\b",
        // Sedo: `example.com - example Resources and Information.`
        r"^\s*HOST *- *\S+ resources and information\.?\s*$",
        // Namecheap, Hostinger, Network Solutions, Porkbun.
        r"\bregistered at namecheap\.com\b",
        r"\bparked domain( name)? on\b",
        r"\b(this )?domain (name )?(is|has been) parked\b",
        r"^\s*HOST *[-|] *(parked|domain parking)\b",
        // Registrars, where nobody has paid.
        r"^\s*(((this|the|your) )?domain( name)?( HOST)?|HOST) (has )?expired\s*($|[!.|–—-])",
        // Sedo, united-domains; Sedo and Gandi; Sedo; Reg.ru; AfterMarket.pl; Sedo; Register.it; Onamae.com.
        r"^\s*((diese|die) domain( HOST)?|HOST) (steht|ist) (zum verkauf|zu verkaufen)",
        r"^\s*(ce|le) nom de domaine( HOST)? est (à vendre|en vente)",
        r"^\s*(este|el) dominio( HOST)? est[áa] (en|a la) venta",
        r"^\s*(этот )?домен( HOST)? (продаётся|продается|выставлен на продажу)",
        r"^\s*(ta )?domena( HOST)? (jest )?na sprzedaż",
        r"^\s*((deze )?domeinnaam( HOST)?|HOST) is te koop",
        r"^\s*(questo|il) dominio( HOST)? è in vendita",
        r"このドメインは.{0,12}(販売|売り出)",
        // West.cn, 4.cn, Juming.
        r"(本|该|此|访问的)域名.{0,8}(出售|转让|停放|过期)",
        r"域名(正在|可以|可)(出售|转让)",
        r"^\s*HOST.{0,6}域名(出售|转让|停放)",
        r"^\s*域名已(过期|到期)\s*($|[!！。|-])",
    ])
});

/// Whether the page looks parked. `hosts`: where the check passed and ended.
pub(super) fn is_parked<'a>(mut hosts: impl Iterator<Item = &'a str>, outline: &Outline) -> bool {
    hosts.any(|host| is_parking_host(host) || is_parking_subdomain(host))
        // adblockplus.org/filters#sitekeys: parking companies sign their pages so that their ads are let through.
        || outline.ad_key
        || outline.sources.iter().any(|source| is_parking_source(source))
        || outline.scripts.iter().any(|script| SCRIPTS.iter().any(|(sign, _)| script.contains(sign)))
        || outline.title.as_deref().is_some_and(|title| TITLES.is_match(title))
}

fn is_parking_host(host: &str) -> bool {
    HOSTS.iter().any(|(known, _)| {
        host.strip_suffix(known).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

/// Bodis and ParkingCrew send visitors of `example.com` to `ww16.example.com`, with one or two digits.
fn is_parking_subdomain(host: &str) -> bool {
    let label = host.split('.').next().unwrap_or_default();
    label.strip_prefix("ww").is_some_and(|digits| {
        (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_parking_source(source: &str) -> bool {
    let without_scheme = source.split_once("//").map_or(source, |(_, rest)| rest);
    let host = without_scheme.split(['/', '?', ':']).next().unwrap_or_default();
    let is_absolute = source.contains("//");
    (is_absolute && is_parking_host(&host.to_ascii_lowercase()))
        || SOURCES.iter().any(|(part, _)| match part.strip_prefix('/') {
            // A file of that name at the root.
            Some(_) => source.starts_with(part),
            None => without_scheme.starts_with(part),
        })
}

#[expect(clippy::expect_used, reason = "constants that a test compiles")]
fn constant(patterns: &[&str]) -> RegexSet {
    let whole = |pattern: &&str| format!("(?i){}", pattern.replace("HOST", HOST).replace("END", END));
    RegexSet::new(patterns.iter().map(whole)).expect("regular expressions")
}

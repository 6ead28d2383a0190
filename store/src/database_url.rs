//! Where the database is. It is parsed once, and shown without passwords.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::{Url, form_urlencoded};

use crate::error::StoreError;
use crate::server::{Server, Tls, TlsMode};

/// A database's URL: `sqlite://PATH`, `sqlite:PATH`, `sqlite::memory:`, or
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…` (`postgresql://` is the same).
///
/// Encryption is as in libpq. `sslmode` is `disable`, `prefer` (the default: encrypted where the server offers
/// it), `require` (encrypted, the server not verified), `verify-ca` (its certificate verified) or `verify-full`
/// (certificate and name verified). `sslrootcert` is a PEM file of the authorities to verify by, in every mode
/// but `disable`; without it `verify-full` takes the system's, or those of the variable `SSL_CERT_FILE`.
/// `sslcert` and `sslkey` are PEM files of the client certificate and its key.
///
/// `Display` and `Debug` leave the password and all parameters out.
#[derive(Clone)]
pub struct DatabaseUrl {
    pub(crate) place: Place,
    shown: String,
}

#[derive(Clone)]
pub(crate) enum Place {
    Postgres(Box<Server>),
    Sqlite(PathBuf),
}

/// What SQLite itself calls a database that is kept in memory.
const MEMORY: &str = ":memory:";

impl DatabaseUrl {
    /// The file of a SQLite database that is kept in one.
    pub fn file(&self) -> Option<&Path> {
        match &self.place {
            Place::Sqlite(file) if file.as_os_str() != MEMORY => Some(file),
            Place::Sqlite(_) | Place::Postgres(_) => None,
        }
    }

    /// Whether it is a SQLite database, which needs no server.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::Sqlite(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text.split_once(':') {
            Some(("sqlite", rest)) => sqlite(rest.strip_prefix("//").unwrap_or(rest)),
            Some(("postgres" | "postgresql", _)) => postgres(text),
            _ => Err(bad("it begins with neither sqlite: nor postgres:")),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.shown)
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, StoreError> {
    if path.is_empty() {
        return Err(bad("the path of the file is missing"));
    }
    // SQLite reads `file:` names as URLs of its own, with parameters that change how it works.
    if path.starts_with("file:") || path.contains(['?', '\0']) {
        return Err(bad("a SQLite database takes a plain path without parameters"));
    }
    let shown = if path == MEMORY { format!("sqlite:{path}") } else { format!("sqlite://{path}") };
    Ok(DatabaseUrl { place: Place::Sqlite(Path::new(path).to_owned()), shown })
}

fn postgres(text: &str) -> Result<DatabaseUrl, StoreError> {
    let mut url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    let ours = ["sslmode", "sslrootcert", "sslcert", "sslkey"];
    let query = url.query().unwrap_or_default().split('&');
    let theirs: Vec<_> =
        query.filter(|pair| !ours.contains(&pair.split('=').next().unwrap_or_default())).collect();
    let theirs = theirs.join("&");
    let tls = tls(&url)?;
    url.set_query((!theirs.is_empty()).then_some(&theirs));
    let config = url
        .as_str()
        .parse::<tokio_postgres::Config>()
        .map_err(|_| bad("a parameter, the user, the host or the port is not as PostgreSQL wants it"))?;
    // Both can only fail for URLs that cannot have a host.
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    Ok(DatabaseUrl { place: Place::Postgres(Box::new(Server { config, tls })), shown: url.into() })
}

fn tls(url: &Url) -> Result<Tls, StoreError> {
    // A plus is a plus in these URLs, not a space as in forms.
    let query = url.query().unwrap_or_default().replace('+', "%2B");
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let parameter = |name| pairs.iter().rfind(|(key, _)| key == name).map(|(_, value)| value);
    let file =
        |name| parameter(name).filter(|path| !path.is_empty()).map(|path| PathBuf::from(path.as_ref()));
    let words = "sslmode is disable, prefer, require, verify-ca or verify-full";
    let mode = match parameter("sslmode") {
        None => TlsMode::default(),
        Some(word) => tls_mode(word).ok_or_else(|| bad(words))?,
    };
    let authorities = file("sslrootcert");
    if mode == TlsMode::VerifyCa && authorities.is_none() {
        return Err(bad(
            "sslmode=verify-ca needs sslrootcert, or anybody with a public certificate would do",
        ));
    }
    let identity = match (file("sslcert"), file("sslkey")) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some((certificate, key)),
        _ => return Err(bad("sslcert needs sslkey, and sslkey needs sslcert")),
    };
    Ok(Tls { mode, authorities, identity })
}

fn tls_mode(word: &str) -> Option<TlsMode> {
    match word {
        "disable" => Some(TlsMode::Disable),
        "prefer" => Some(TlsMode::Prefer),
        "require" => Some(TlsMode::Require),
        "verify-ca" => Some(TlsMode::VerifyCa),
        "verify-full" => Some(TlsMode::VerifyFull),
        _ => None,
    }
}

fn bad(problem: &str) -> StoreError {
    StoreError::BadUrl(problem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_names_its_database() {
        let shown = |text: &str| text.parse::<DatabaseUrl>().map(|url| url.to_string());
        for (text, expected) in [
            ("sqlite://linkbeat.db", "sqlite://linkbeat.db"),
            ("sqlite:linkbeat.db", "sqlite://linkbeat.db"),
            ("sqlite:///var/lib/linkbeat.db", "sqlite:///var/lib/linkbeat.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite://:memory:", "sqlite::memory:"),
            ("postgres://me@db.example:6432/links", "postgres://me@db.example:6432/links"),
            ("postgresql://db.example/links?sslmode=verify-full", "postgresql://db.example/links"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn each_bad_url_is_refused_without_showing_it() {
        for text in [
            "",
            "linkbeat.db",
            "mysql://me:secret@host/db",
            "sqlite:",
            "sqlite://",
            "sqlite://file:secret.db?mode=ro",
            "sqlite://a.db?password=secret",
            "postgres://me:secret@host:port/db",
            "postgres://me:secret@host/db?sslmode=sometimes",
            "postgres://me:secret@host/db?sslmode=verify-ca",
            "postgres://me:secret@host/db?sslcert=me.pem",
            "postgres://me:secret@host/db?no_such_parameter=secret",
        ] {
            let error = text.parse::<DatabaseUrl>().unwrap_err();
            assert!(matches!(error, StoreError::BadUrl(_)), "{text}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        }
    }

    #[test]
    fn files_for_encryption_are_taken_out_of_the_url() {
        let files = "sslrootcert=/etc/my%20ca.pem&sslcert=me+.pem&sslkey=me.key";
        let text = format!("postgres://host/db?sslmode=verify-full&{files}&connect_timeout=3");
        let url: DatabaseUrl = text.parse().unwrap();
        let Place::Postgres(server) = url.place else { panic!("not PostgreSQL") };
        let (authorities, identity) =
            (Some("/etc/my ca.pem".into()), Some(("me+.pem".into(), "me.key".into())));
        assert_eq!(server.tls, Tls { mode: TlsMode::VerifyFull, authorities, identity });
        assert_eq!(server.config.get_connect_timeout().unwrap().as_secs(), 3);
    }

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl =
            "postgres://me:secret@host/db?password=secret&sslmode=require".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://me@host/db");
        assert!(!format!("{url:?}").contains("secret"));
    }
}

//! As much of HTTP/1.1 as a book needs, without any input or output: bytes of a request in, bytes of
//! an answer out. The server moves them.

use std::borrow::Cow;

use crate::percent;
use crate::site::{Found, Site};

/// The most bytes a request's head may have.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// The most bytes its target may have.
const TARGET_LIMIT: usize = 8 * 1024;

/// The most header lines it may have.
const HEADER_LIMIT: usize = 100;

/// What the bytes received so far are.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// The beginning of a request.
    Part,
    /// A request, and the number of bytes it takes; what follows belongs to the next one.
    Request(Request, usize),
    /// No request that can be answered with anything but this; then the connection must end, for where
    /// the next request would begin is not known.
    Refused(Status),
}

/// A request for what is at a path.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// Only the answer's head is wanted.
    pub head_only: bool,
    /// The path, decoded.
    pub path: String,
    /// What follows the path in the target: empty, or `?` and more.
    pub query: String,
    /// The client would like to ask more on this connection.
    pub keep_alive: bool,
}

/// The answers that are not a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names are the standard's")]
pub enum Status {
    BadRequest,
    MethodNotAllowed,
    UriTooLong,
    HeadTooLarge,
    VersionNotSupported,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::BadRequest => "400 Bad Request",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::UriTooLong => "414 URI Too Long",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// Reads the request at the beginning of `bytes`.
pub fn receive(bytes: &[u8]) -> Received {
    let mut headers = [httparse::EMPTY_HEADER; HEADER_LIMIT];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length > HEAD_LIMIT => {
            Received::Refused(Status::HeadTooLarge)
        }
        Ok(httparse::Status::Complete(length)) => match understand(&head) {
            Ok(request) => Received::Request(request, length),
            Err(status) => Received::Refused(status),
        },
        Ok(httparse::Status::Partial) => match head.path {
            Some(target) if target.len() > TARGET_LIMIT => Received::Refused(Status::UriTooLong),
            None if bytes.len() > TARGET_LIMIT + 16 => Received::Refused(Status::UriTooLong),
            _ if bytes.len() > HEAD_LIMIT => Received::Refused(Status::HeadTooLarge),
            _ => Received::Part,
        },
        Err(httparse::Error::TooManyHeaders) => Received::Refused(Status::HeadTooLarge),
        Err(httparse::Error::Version) => Received::Refused(Status::VersionNotSupported),
        Err(_) => Received::Refused(Status::BadRequest),
    }
}

fn understand(head: &httparse::Request<'_, '_>) -> Result<Request, Status> {
    let (Some(method), Some(target), Some(minor)) = (head.method, head.path, head.version) else {
        return Err(Status::BadRequest);
    };
    if target.len() > TARGET_LIMIT {
        return Err(Status::UriTooLong);
    }
    let is_1_1 = minor == 1;
    let hosts = values(head, "host").count();
    if hosts > 1 || (is_1_1 && hosts == 0) {
        return Err(Status::BadRequest);
    }
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let target = origin_form(target).ok_or(Status::BadRequest)?;
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let path = percent::decode(path).ok_or(Status::BadRequest)?;
    let climbs = path.split(['/', '\\']).any(|part| matches!(part, "." | ".."));
    if climbs || path.contains('\0') {
        return Err(Status::BadRequest);
    }
    // A body means nothing with GET. It is not read, so nothing after it can be.
    let has_body = values(head, "content-length").any(|value| value.trim() != "0")
        || values(head, "transfer-encoding").next().is_some();
    let wishes: Vec<String> = values(head, "connection")
        .flat_map(|value| {
            value
                .split(',')
                .map(|wish| wish.trim().to_ascii_lowercase())
                .collect::<Vec<_>>()
        })
        .collect();
    let wishes = |wish: &str| wishes.iter().any(|w| w == wish);
    let keep_alive = !has_body && !wishes("close") && (is_1_1 || wishes("keep-alive"));
    Ok(Request {
        head_only,
        path,
        query: query.to_owned(),
        keep_alive,
    })
}

/// The values of a header. Bytes that are not UTF-8 mean nothing to us.
fn values<'a>(head: &'a httparse::Request<'_, '_>, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
    let headers = head.headers.iter();
    headers
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .map(|header| String::from_utf8_lossy(header.value))
}

/// The target as a path and query. Proxies are asked for whole URLs, and a server must take them too.
fn origin_form(target: &str) -> Option<&str> {
    if target.starts_with('/') {
        return Some(target);
    }
    let scheme = target.get(..7)?;
    if !scheme.eq_ignore_ascii_case("http://") {
        return None;
    }
    let rest = &target[7..];
    match rest.find(['/', '?']) {
        None => Some("/"),
        Some(start) if rest[start..].starts_with('/') => Some(&rest[start..]),
        Some(_) => None,
    }
}

/// An answer: a head, then a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Status line and headers, as they are sent.
    pub head: String,
    /// What follows them; empty for `HEAD`.
    pub body: Cow<'a, [u8]>,
    /// Whether the connection stays open for another request.
    pub keep_alive: bool,
}

/// The answer to a request.
pub fn answer<'a>(site: &'a Site, request: &Request) -> Answer<'a> {
    let html = "text/html; charset=utf-8";
    let (status, extra, content_type, body) = match site.find(&request.path) {
        Found::File(file) => (
            "200 OK",
            String::new(),
            file.content_type,
            Cow::Borrowed(&file.content[..]),
        ),
        Found::Folder(path) => {
            let location = format!("{}{}", percent::encode_path(&path), request.query);
            let extra = format!("Location: {location}\r\n");
            let body = Cow::Borrowed(&b"<p>This is a folder: its address ends with a slash.\n"[..]);
            ("302 Found", extra, html, body)
        }
        Found::Nothing => {
            let body = match site.not_found_page() {
                Some(page) => &page.content[..],
                None => b"<p>There is nothing here.\n",
            };
            ("404 Not Found", String::new(), html, Cow::Borrowed(body))
        }
    };
    let head = head(status, &extra, content_type, body.len(), request.keep_alive);
    let body = if request.head_only {
        Cow::Borrowed(&b""[..])
    } else {
        body
    };
    Answer {
        head,
        body,
        keep_alive: request.keep_alive,
    }
}

/// The answer to what is not understood, after which the connection ends.
pub fn refusal(status: Status) -> Answer<'static> {
    let extra = match status {
        Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
        _ => "",
    };
    let body = format!("{}\n", status.line()).into_bytes();
    let head = head(
        status.line(),
        extra,
        "text/plain; charset=utf-8",
        body.len(),
        false,
    );
    Answer {
        head,
        body: Cow::Owned(body),
        keep_alive: false,
    }
}

fn head(status: &str, extra: &str, content_type: &str, length: usize, keep_alive: bool) -> String {
    let connection = if keep_alive { "keep-alive" } else { "close" };
    // A book that was built again has the same address: nothing of it may be kept without asking.
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n{extra}\
         Connection: {connection}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Received {
        receive(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
    }

    fn path_of(target: &str) -> Result<String, Status> {
        match get(target) {
            Received::Request(request, _) => Ok(request.path),
            Received::Refused(status) => Err(status),
            Received::Part => panic!("{target}: a whole request is not a part of one"),
        }
    }

    #[test]
    fn targets_become_paths_and_never_climb() {
        for (target, expected) in [
            ("/", Ok("/")),
            ("/a/b.html?x=/../#", Ok("/a/b.html")),
            ("/a%20b/%C3%A4", Ok("/a b/ä")),
            ("/...", Ok("/...")),
            ("/a..b/..c", Ok("/a..b/..c")),
            ("//etc/passwd", Ok("//etc/passwd")),
            ("http://127.0.0.1:3000/a?b", Ok("/a")),
            ("HTTP://x", Ok("/")),
            ("/..", Err(Status::BadRequest)),
            ("/../etc/passwd", Err(Status::BadRequest)),
            ("/a/../../etc/passwd", Err(Status::BadRequest)),
            ("/a/./b", Err(Status::BadRequest)),
            ("/%2e%2e/etc/passwd", Err(Status::BadRequest)),
            ("/..%2fetc/passwd", Err(Status::BadRequest)),
            ("/..%5cetc", Err(Status::BadRequest)),
            ("/..\\etc", Err(Status::BadRequest)),
            ("/%00", Err(Status::BadRequest)),
            ("/%", Err(Status::BadRequest)),
            ("/%ff", Err(Status::BadRequest)),
            ("etc/passwd", Err(Status::BadRequest)),
            ("*", Err(Status::BadRequest)),
            ("file:///etc/passwd", Err(Status::BadRequest)),
        ] {
            assert_eq!(path_of(target), expected.map(str::to_owned), "{target}");
        }
        // Once decoded, never decoded again.
        assert_eq!(path_of("/%252e%252e/x").as_deref(), Ok("/%2e%2e/x"));
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        for (bytes, status) in [
            (&b"hello\r\n\r\n"[..], Status::BadRequest),
            (b"\x16\x03\x01\x02\x00\x01\x00", Status::BadRequest),
            (b"GET /\r\n\r\n", Status::BadRequest),
            (b"GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                Status::BadRequest,
            ),
            (
                b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
                Status::BadRequest,
            ),
            (
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
                Status::MethodNotAllowed,
            ),
            (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Status::VersionNotSupported),
        ] {
            let shown = String::from_utf8_lossy(bytes);
            assert_eq!(receive(bytes), Received::Refused(status), "{shown}");
        }
    }

    #[test]
    fn too_much_is_refused_before_it_has_all_come() {
        let long = "a".repeat(TARGET_LIMIT + 100);
        for part in [
            format!("GET /{long}"),
            format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        ] {
            assert_eq!(receive(part.as_bytes()), Received::Refused(Status::UriTooLong));
        }
        let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(HEAD_LIMIT));
        assert_eq!(receive(wide.as_bytes()), Received::Refused(Status::HeadTooLarge));
        assert_eq!(
            receive(format!("{wide}\r\n\r\n").as_bytes()),
            Received::Refused(Status::HeadTooLarge)
        );
        let many = format!(
            "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
            "A: b\r\n".repeat(HEADER_LIMIT)
        );
        assert_eq!(receive(many.as_bytes()), Received::Refused(Status::HeadTooLarge));
    }

    #[test]
    fn a_request_may_come_in_any_pieces_and_others_behind_it() {
        let two = b"\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n";
        let Received::Request(first, length) = receive(two) else {
            panic!("no request")
        };
        assert_eq!((first.path.as_str(), first.head_only), ("/a", false));
        for end in 0..length {
            assert_eq!(receive(&two[..end]), Received::Part, "{end}");
        }
        let Received::Request(second, rest) = receive(&two[length..]) else {
            panic!("no second")
        };
        assert_eq!((second.path.as_str(), second.head_only), ("/b", true));
        assert_eq!(length + rest, two.len());
    }

    #[test]
    fn connections_stay_open_as_both_sides_wish() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n", true),
            ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", false),
            ("GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n", false),
            ("GET / HTTP/1.0\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", true),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n", true),
            ("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n", false),
            (
                "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n",
                false,
            ),
        ] {
            let received = receive(format!("{head}\r\n").as_bytes());
            let Received::Request(request, _) = received else {
                panic!("{head}: {received:?}")
            };
            assert_eq!(request.keep_alive, expected, "{head}");
        }
    }

    fn site() -> Site {
        let mut site = Site::default();
        site.insert("/index.html", b"front".to_vec());
        site.insert("/404.html", b"not here".to_vec());
        site.insert("/a b/index.html", b"part".to_vec());
        site
    }

    fn answer_to(target: &str) -> (String, Vec<u8>) {
        let Received::Request(request, _) = get(target) else {
            panic!("no request")
        };
        let site = site();
        let answer = answer(&site, &request);
        (answer.head, answer.body.into_owned())
    }

    #[test]
    fn files_folders_and_nothing() {
        let (head, body) = answer_to("/");
        assert_eq!(
            head,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 5\r\n\
             Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\n\r\n"
        );
        assert_eq!(body, b"front");
        let (head, _) = answer_to("/a%20b?q=1");
        assert!(head.starts_with("HTTP/1.1 302 Found\r\n"), "{head}");
        assert!(head.contains("\r\nLocation: /a%20b/?q=1\r\n"), "{head}");
        let (head, body) = answer_to("/nothing/here");
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
        assert_eq!(body, b"not here");
    }

    #[test]
    fn head_is_answered_like_get_without_the_body() {
        let request = |head_only| Request {
            head_only,
            path: "/".to_owned(),
            query: String::new(),
            keep_alive: true,
        };
        let site = site();
        let (full, head) = (answer(&site, &request(false)), answer(&site, &request(true)));
        assert_eq!(full.head, head.head);
        assert!(head.body.is_empty());
    }

    #[test]
    fn a_refusal_closes_and_says_what_is_allowed() {
        let refused = refusal(Status::MethodNotAllowed);
        assert!(
            refused.head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"),
            "{}",
            refused.head
        );
        assert!(refused.head.contains("\r\nAllow: GET, HEAD\r\n"));
        assert!(refused.head.ends_with("\r\nConnection: close\r\n\r\n"));
        assert!(!refused.keep_alive);
    }
}

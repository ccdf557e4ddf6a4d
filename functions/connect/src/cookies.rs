//! PURE. The cookies of browser routes: all `__Host-`, `Secure`, `HttpOnly`, `Path=/` (RFC 6265bis section 4.1.3.2), so that
//! neither a neighbouring subdomain nor a script can set or read one. Widget routes use none.

pub(crate) use consulate_core::browser::{
    SameSite, end_cookie as end, read_cookie as read, set_cookie as set,
};
use consulate_core::digest;

/// What a provider said when it refused, on the way to the result page.
pub(crate) const SAID: &str = "__Host-consulate-said";

/// Name of the cookie that ties a handshake page to its browser. One per ticket.
pub(crate) fn ticket_cookie(ticket: &str) -> String {
    let digest = digest::text([&b"ticket cookie"[..], ticket.as_bytes()]);
    format!("__Host-consulate-ticket-{}", first(&digest, 12))
}

/// Name of the cookie that ties a flow to its browser. One per flow, so that two tabs work.
pub(crate) fn flow_cookie(flow: &str) -> String {
    format!("__Host-consulate-flow-{}", first(flow, 16))
}

fn first(text: &str, characters: usize) -> &str {
    text.get(..characters).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
        let cookie = set(
            &flow_cookie("AAAAAAAAAAAAAAAAAAAAAA"),
            "v",
            SameSite::Lax,
            600,
        )
        .unwrap();
        assert_eq!(
            cookie.to_str().unwrap(),
            "__Host-consulate-flow-AAAAAAAAAAAAAAAA=v; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"
        );
        assert!(set("x", "a\r\nb", SameSite::Lax, 1).is_none());
        assert!(set("x", "a; Domain=evil.example", SameSite::Lax, 1).is_none());
    }

    #[test]
    fn two_tickets_have_two_cookies_and_neither_shows_its_ticket() {
        assert_ne!(ticket_cookie("one"), ticket_cookie("two"));
        assert!(!ticket_cookie("abcdefghijklmnop").contains("abcdef"));
    }
}

//! No credential changes the request but where it goes.

use url::Url;

use super::*;

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn a_credential_in_the_query_is_one_more_pair(
        x in good_text(),
        credential in any_text(),
        proof in any_text(),
    ) {
        let template = compile("https://h.example/{param.x}?q={param.x}");
        let rendered = render(&template, &[("x", &x), ("y", &x)]).unwrap();
        let inject = Inject::Query { query: "api_key".to_owned() };
        let request = rendered.to_request(&credential, &inject, &[("proof", &proof)]).unwrap();
        let sent = Url::parse(&request.uri().to_string()).unwrap();
        let mut expected = Url::parse(&rendered.uri().to_string()).unwrap();
        let mut pairs: Vec<(String, String)> = expected.query_pairs().into_owned().collect();
        pairs.push(("proof".to_owned(), proof));
        pairs.push(("api_key".to_owned(), credential));
        prop_assert_eq!(sent.query_pairs().into_owned().collect::<Vec<_>>(), pairs);
        expected.set_query(sent.query());
        prop_assert_eq!(sent, expected);
        prop_assert!(request.headers().values().all(|value| !value.is_sensitive()));
    }

    #[test]
    fn a_credential_in_a_header_stands_there_as_it_is_or_nowhere(
        credential in any_text(),
        scheme in select(&[None, Some("Bearer"), Some("Basic")][..]),
    ) {
        let rendered = render(&compile("https://h.example/x"), &[]).unwrap();
        let inject = Inject::Header {
            header: "X-Key".to_owned(),
            scheme: scheme.map(str::to_owned),
        };
        match rendered.to_request(&credential, &inject, &[]) {
            Ok(request) => {
                let expected = match scheme {
                    Some(scheme) => format!("{scheme} {credential}"),
                    None => credential,
                };
                let sent: Vec<&[u8]> = request.headers().get_all("x-key").iter().map(|value| value.as_bytes()).collect();
                prop_assert_eq!(sent, [expected.as_bytes()]);
                prop_assert!(!expected.contains(['\r', '\n', '\0']));
                prop_assert_eq!(request.uri(), rendered.uri());
            }
            Err(BadCredential) => prop_assert!(has_control(&credential)),
        }
    }
}

//! The browser client as pages load it: from any origin, kept by version.

use consulate_flows::stack::Stack;
use http::Method;

#[tokio::test]
async fn the_client_is_served_to_any_page_and_kept_by_version() {
    let stack = Stack::start().await;
    for (name, begins) in [
        ("consulate.js", "/*! Consulate"),
        ("consulate.classic.js", "/*! Consulate"),
        ("consulate.credentials.js", "/*! Consulate"),
    ] {
        let url = format!("{}/v1/{name}", stack.dev.base_url);
        let get = |url: String, headers: Vec<(&'static str, String)>| {
            let wire = stack.wire.clone();
            async move {
                let headers: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                wire.call(Method::GET, &url, &headers, String::new()).await
            }
        };
        let origin = ("origin", "https://anywhere.example".to_owned());
        let whole = get(url.clone(), vec![origin]).await.expect(200);
        assert!(whole.text().starts_with(begins), "{:.80}", whole.text());
        for (header, value) in [
            ("content-type", "text/javascript; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("cache-control", "public, max-age=600, must-revalidate"),
            ("set-cookie", ""),
        ] {
            assert_eq!(whole.header(header), value, "{name} {header}");
        }

        let tag = whole.header("etag").to_owned();
        let again = get(url.clone(), vec![("if-none-match", tag.clone())]).await;
        let again = again.expect(304);
        assert!(again.body.is_empty());
        assert_eq!(again.header("etag"), tag);
        get(url.clone(), vec![("if-none-match", "\"other\"".to_owned())])
            .await
            .expect(200);

        let version = tag.trim_matches('"');
        let kept = get(format!("{url}?v={version}"), vec![]).await.expect(200);
        assert_eq!(
            kept.header("cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(kept.body, whole.body);
        // Another version's address must not keep this one for good.
        let other = get(format!("{url}?v=0000000000000000"), vec![]).await;
        let kept = other.expect(200).header("cache-control").to_owned();
        assert_eq!(kept, "public, max-age=600, must-revalidate");
    }
}

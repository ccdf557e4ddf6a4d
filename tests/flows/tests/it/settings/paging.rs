//! Lists, a page at a time; and cursors that are not ours to take.

use std::collections::BTreeSet;

use super::*;

async fn filled(stack: &Stack, scope: &str, jwt: &str, many: usize) {
    for number in 0..many {
        put(
            stack,
            &format!("{scope}/k{number:02}"),
            jwt,
            &number.to_string(),
        )
        .await
        .expect(201);
    }
}

#[tokio::test]
async fn pages_bring_every_setting_once() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    filled(&stack, "user", &ada, 23).await;
    for limit in [1, 7, 23, 50] {
        let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
        loop {
            let path = match &cursor {
                None => format!("user?limit={limit}"),
                Some(cursor) => format!("user?limit={limit}&cursor={cursor}"),
            };
            let page = get(&stack, &path, &ada).await.expect(200).json();
            let found = keys(&page);
            assert!(found.len() <= limit && !found.is_empty());
            seen.extend(found);
            pages += 1;
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(
            (seen.len(), pages),
            (23, 23_usize.div_ceil(limit)),
            "{limit}"
        );
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 23);
    }
}

/// What is deleted or put between two pages moves nothing else.
#[tokio::test]
async fn a_cursor_outlives_the_setting_it_was_given_out_at() {
    let stack = usual().await;
    let ada = stack.jwt("ada");
    filled(&stack, "user", &ada, 9).await;
    let page = get(&stack, "user?limit=4", &ada).await.expect(200).json();
    let first = keys(&page);
    for key in &first {
        delete(&stack, &format!("user/{key}"), &ada)
            .await
            .expect(204);
    }
    let next = page["next"].as_str().unwrap();
    let rest = get(&stack, &format!("user?cursor={next}"), &ada)
        .await
        .expect(200)
        .json();
    assert_eq!(keys(&rest).len(), 5);
    assert!(keys(&rest).iter().all(|key| !first.contains(key)));
}

/// A reply of the function has to stay below 6 MB, however large the values.
#[tokio::test]
async fn a_page_of_large_values_ends_early() {
    let stack = usual().await;
    let admin = stack.jwt("admin");
    let large = format!("\"{}\"", "x".repeat(65_000));
    for number in 0..40 {
        put(
            &stack,
            &format!("organisation/k{number:02}"),
            &admin,
            &large,
        )
        .await
        .expect(201);
    }
    let (mut seen, mut path) = (0, "organisation?limit=50".to_owned());
    loop {
        let page = get(&stack, &path, &admin).await.expect(200);
        assert!(page.body.len() < 1_300_000, "{}", page.body.len());
        let page = page.json();
        seen += keys(&page).len();
        match page["next"].as_str() {
            Some(next) => path = format!("organisation?cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, 40);
}

#[tokio::test]
async fn a_cursor_of_somebody_else_or_of_nobody_is_refused() {
    let stack = usual().await;
    import_other(&stack).await;
    let (ada, admin) = (stack.jwt("ada"), stack.jwt("admin"));
    let cursor = async |scope: &str, jwt: &str| {
        filled(&stack, scope, jwt, 2).await;
        let page = get(&stack, &format!("{scope}?limit=1"), jwt)
            .await
            .expect(200)
            .json();
        page["next"].as_str().unwrap().to_owned()
    };
    let of_ada = cursor("user", &ada).await;
    let of_bob = cursor("user", &stack.jwt("bob")).await;
    let of_o1 = cursor("organisation", &admin).await;
    let of_o2 = cursor("organisation", &stack.jwt_of("boss", "o2", None)).await;
    let path = |cursor: &str| format!("user?cursor={cursor}");
    get(&stack, &path(&of_ada), &ada).await.expect(200);

    let mut changed = of_ada.clone().into_bytes();
    let last = changed.len() - 3;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let id = "a".repeat(16);
    let long = "A".repeat(3_000);
    for forged in [
        &of_bob,
        &of_o1,
        &of_o2,
        &changed,
        &of_ada[..40],
        &id,
        "",
        "%00",
        "!",
        &long,
    ] {
        get(&stack, &path(forged), &ada).await.expect_problem(
            422,
            "request_invalid",
            "field",
            "cursor",
        );
    }
    let elsewhere = ask_of(
        &stack,
        OTHER,
        http::Method::GET,
        &path(&of_ada),
        &ada,
        &[],
        "",
    )
    .await;
    elsewhere.expect_problem(422, "request_invalid", "field", "cursor");
    // A sealed setting is no cursor either, although the same keyring sealed it.
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    for item in items(&stack)
        .await
        .values()
        .filter(|item| item.contains_key("s"))
    {
        let sealed = engine.encode(item["s"].as_b().unwrap().as_ref());
        get(&stack, &path(&sealed), &ada).await.expect(422);
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=51", "limit"),
        ("limit=x", "limit"),
        ("offset=1", "offset"),
    ] {
        get(&stack, &format!("user?{query}"), &ada)
            .await
            .expect_problem(422, "request_invalid", "field", field);
    }
}

//! The demo's dashboard, without a browser: what its page asks for, and what it would show.

use consulate::dev::{Options, start};
use consulate_flows::wire::Wire;
use http::Method;

#[tokio::test]
async fn the_demo_shows_each_person_the_rows_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("data"));
    options.port = Some(0);
    options.schedule = false;
    let dev = start(options).await.unwrap();
    let wire = Wire::default();
    let json = ("content-type", "application/json");
    for (user, owner) in [("ada", "ada@acme.example"), ("grace", "grace@acme.example")] {
        let host = dev.demo_address().unwrap().trim_end_matches('/');
        let url = format!("{host}/demo/caller-jwt");
        let headers = [("origin", host), json];
        let body = format!("{{\"user\":\"{user}\"}}");
        let signed = wire
            .call(Method::POST, &url, &headers, body)
            .await
            .expect(200)
            .json();
        let bearer = format!("Bearer {}", signed["jwt"].as_str().unwrap());
        let url = format!("{}/v1/widgets/demo/qrvey/sales", dev.base_url);
        let headers = [("authorization", bearer.as_str())];
        let answer = wire
            .call(Method::POST, &url, &headers, "")
            .await
            .expect(200)
            .json();
        let rows = dev
            .qrvey()
            .unwrap()
            .rows(answer["qvToken"].as_str().unwrap())
            .unwrap();
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows.iter().all(|row| row["owner"] == owner), "{rows:?}");
        // The page's script is where the configuration points.
        let launcher = format!(
            "{}/widgets-launcher/app.js",
            answer["domain"].as_str().unwrap()
        );
        wire.call(Method::GET, &launcher, &[], "").await.expect(200);
    }
    assert_eq!(dev.qrvey().unwrap().refusals(), Vec::<String>::new());
    dev.stop().await.unwrap();
}

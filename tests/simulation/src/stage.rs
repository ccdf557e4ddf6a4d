//! Sets a world up: table, passports, secrets, and the custodian's real instances over the world's wires.

use std::sync::{Arc, OnceLock};

use consulate_core::aws::Aws;
use consulate_core::clock::{Clock, Timestamp};
use consulate_core::cohort::Shards;
use consulate_core::config::{AwsConfig, Config};
use consulate_core::definition::OwnerMode;
use consulate_core::dial::{self, Dial};
use consulate_core::egress::{Egress, LoopbackExceptions};
use consulate_core::flow::{Ask, Flow, Mode};
use consulate_core::foundation::{Foundation, Leniency};
use consulate_core::owner::OwnerKey;
use consulate_core::passport::{Passport, RefreshRotation};
use consulate_core::secret::SecretText;
use consulate_core::table::ConnectionKey;
use consulate_custodian::State;
use consulate_fakes::dynamodb::Engine;
use serde_json::{Value, json};

use crate::provider::Said;
use crate::wire::Wire;
use crate::world::Shared;

pub(crate) const TABLE: &str = "consulate";
pub(crate) const TOKEN_URL: &str = "https://provider.sim/token";
const REVOKE_URL: &str = "https://provider.sim/revoke";
const HOME: &str = "eu-central-1";
/// 32 bytes of nothing: a simulated key.
const KEYRING: &str =
    r#"{"primary":"k","keys":{"k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}"#;

pub(crate) fn keyring_text() -> SecretText {
    SecretText::new(KEYRING)
}

/// A table with its indexes and passports: `once` has single-use refresh tokens, `again` reusable ones.
pub(crate) fn table() -> anyhow::Result<Engine> {
    let engine = Engine::memory()?;
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let index = |name: &str, hash: &str| {
        json!({
            "IndexName": name, "KeySchema": [key(hash, "HASH"), key("pk", "RANGE")],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    };
    let create = json!({
        "TableName": TABLE, "KeySchema": [key("pk", "HASH")], "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("pk"), text("d"), text("u")],
        "GlobalSecondaryIndexes": [index("due", "d"), index("unhealthy", "u")],
    });
    let (status, answer) = engine.serve("CreateTable", &create.to_string());
    anyhow::ensure!(status == 200, "the table cannot be made: {answer}");
    for id in ["once", "again"] {
        let document = serde_json::to_string(&passport(id))?;
        let item = json!({"pk": {"S": format!("PASSPORT#{id}")}, "doc": {"S": document}});
        let put = json!({ "TableName": TABLE, "Item": item });
        engine.serve("PutItem", &put.to_string());
    }
    Ok(engine)
}

pub(crate) fn passport(id: &str) -> Passport {
    Passport {
        id: id.to_owned(),
        name: id.to_owned(),
        provider: "simulated".to_owned(),
        client_id: "client".to_owned(),
        authorize_url: "https://provider.sim/authorize".to_owned(),
        token_url: TOKEN_URL.to_owned(),
        revocation_url: Some(REVOKE_URL.to_owned()),
        pkce_off_because: Some("the simulated consent has no browser".to_owned()),
        refresh_rotation: match id {
            "once" => RefreshRotation::SingleUse,
            _ => RefreshRotation::Reusable,
        },
        ..Passport::default()
    }
}

/// Secrets Manager.
pub(crate) fn secret(body: &str) -> Said {
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let name = request["SecretId"].as_str().unwrap_or_default();
    let value = match name {
        "consulate/keys/access" | "consulate/keys/refresh" | "consulate/keys/fingerprint" => {
            KEYRING.to_owned()
        }
        name if name.starts_with("consulate/passports/") => {
            json!({"client_secret": "secret", "endpoints": [TOKEN_URL, REVOKE_URL]}).to_string()
        }
        _ => {
            let error = json!({"__type": "ResourceNotFoundException", "message": ""});
            return Said::plain(400, error.to_string());
        }
    };
    let answer = json!({"ARN": "arn", "Name": name, "SecretString": value, "VersionId": "1"});
    Said::plain(200, answer.to_string())
}

/// Which queues there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queues {
    pub work: bool,
    pub salvage: bool,
}

/// What is different between instances.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub clock_off_millis: i64,
    pub region: &'static str,
    pub queues: Queues,
    /// Its clock is good, as far as anybody knows.
    pub trusted: bool,
    /// Mutants only.
    pub takes_over_at_once: bool,
}

impl Environment {
    pub fn at_home(clock_off_millis: i64, queues: Queues) -> Self {
        Self {
            clock_off_millis,
            region: HOME,
            queues,
            trusted: true,
            takes_over_at_once: false,
        }
    }

    pub fn elsewhere(queues: Queues) -> Self {
        Self {
            region: "us-east-1",
            ..Self::at_home(0, queues)
        }
    }
}

/// One instance's foundation over its wire.
pub(crate) fn foundation(world: &Shared, instance: usize, environment: &Environment) -> Foundation {
    static TLS: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    let tls = TLS.get_or_init(|| dial::tls(None).expect("compiled-in roots"));
    let endpoint = |name: &str| Some(format!("http://{name}.sim"));
    let queue = |there: bool, name: &str| there.then(|| format!("http://sqs.sim/1/{name}"));
    let queues = environment.queues;
    let aws = AwsConfig {
        region: environment.region.to_owned(),
        home_region: Some(HOME.to_owned()),
        access_key_id: "id".to_owned(),
        secret_access_key: SecretText::new("key"),
        session_token: None,
        dynamodb_endpoint: endpoint("table"),
        secrets_manager_endpoint: endpoint("secrets"),
        lambda_endpoint: None,
        sqs_endpoint: endpoint("sqs"),
        eventbridge_endpoint: None,
    };
    let config = Config {
        table: TABLE.to_owned(),
        base_url: "https://consulate.sim".to_owned(),
        secrets_prefix: "consulate/".to_owned(),
        custodian: "custodian".to_owned(),
        connect: None,
        proxy: None,
        queue_url: queue(queues.work, "work"),
        salvage_queue_url: queue(queues.salvage, "salvage.fifo"),
        event_bus: None,
        due_shards: Shards::parse("1").unwrap_or_default(),
        idle_limit_days: 90,
        metrics: None,
        extra_ca: None,
        aws: aws.clone(),
    };
    let leniency = Leniency {
        earlier_processes_are_dead: environment.takes_over_at_once,
        ..Leniency::default()
    };
    let clock: Clock = world.clock.apart(environment.clock_off_millis);
    let wire = wire(world, instance);
    let aws = Aws::over(aws, wire, clock.clone());
    Foundation::over(config, clock, leniency, tls.clone(), aws)
}

/// A custodian on it.
pub(crate) fn custodian(world: &Shared, instance: usize, environment: &Environment) -> State {
    let foundation = foundation(world, instance, environment);
    let egress = Egress::over(wire(world, instance), LoopbackExceptions::default(), false);
    State::over(&foundation, egress).expect("simulated bytes")
}

fn wire(world: &Shared, instance: usize) -> Arc<dyn Dial> {
    Arc::new(Wire {
        world: world.clone(),
        instance,
    })
}

/// The connection of owner `number`.
pub(crate) fn key(number: usize, single_use: bool) -> ConnectionKey {
    let passport = if single_use { "once" } else { "again" };
    ConnectionKey::new(passport, OwnerKey::stored(&format!("owner{number}")))
}

/// A flow of `key` whose state was consumed.
pub(crate) fn flow(id: &str, key: &ConnectionKey) -> (Flow, Timestamp) {
    let flow = Flow {
        id: id.to_owned(),
        ask: Ask {
            widget: "widget".to_owned(),
            auth_key: "auth".to_owned(),
            key: key.clone(),
            owner_mode: OwnerMode::User,
            host: "host".to_owned(),
            organisation: "organisation".to_owned(),
            user: "user".to_owned(),
            mode: Mode::Popup,
            return_to: None,
        },
        cookie: String::new(),
        redirect_uri: "https://consulate.sim/callback".to_owned(),
        issuer: None,
        scopes: Vec::new(),
        config_version: passport(&key.passport).config_version(),
    };
    (flow, Timestamp::from_seconds(4_000_000_000))
}
